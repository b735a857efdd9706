/*
 * random.c - random bytes.
 *
 * Promises: as crypto.h; OpenSSL's generator is seeded by the kernel, seeds again after a fork, and
 * its failure is never papered over.
 * Does not: offer numbers in a range.
 */
#include <limits.h>
#include <openssl/rand.h>

#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

enum tg_err tg_random(void *ret, size_t len)
{
    if (len > INT_MAX) {
        return TG_ERR_LIMIT;
    }
    if (len > 0 && RAND_bytes(ret, (int)len) != 1) {
        tg_contexts_forget_errors();
        tg_wipe(ret, len);
        return TG_ERR_BUG;
    }
    return TG_OK;
}
