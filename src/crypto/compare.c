/*
 * compare.c - comparing and forgetting secrets.
 *
 * Promises: as crypto.h.
 * Does not: hide lengths.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "crypto/crypto.h"

#include "base/banned.h"

bool tg_equal_secret(const void *a, const void *b, size_t len)
{
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

void tg_wipe(void *ptr, size_t len)
{
    if (ptr != NULL && len > 0) {
        explicit_bzero(ptr, len); /* a quarter of OPENSSL_cleanse's time for an answer's length */
    }
}
