/*
 * aead.c - AES-256-GCM (SP 800-38D) under random 96-bit nonces.
 *
 * Promises: as crypto.h. Nonces come from the generator here and nowhere else, so no caller can repeat one, and
 * those that were drawn ahead stay with the process that drew them; one key may seal 2^32 times (SP 800-38D 8.3).
 * Does not: seal in place: out must not overlap the input.
 */
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

static const uint8_t nothing;

/* EVP counts in int. */
static bool fits_int(struct tg_span bytes)
{
    return bytes.len <= INT_MAX;
}

static const uint8_t *at(struct tg_span bytes)
{
    return bytes.len == 0 ? &nothing : bytes.ptr;
}

/* One that was never given before. They are public once used, so that drawing some ahead gives nothing away. */
static enum tg_err take_nonce(struct tg_contexts *contexts, uint8_t ret[TG_NONCE_BYTES])
{
    if (contexts->nonces_left == 0 || contexts->nonces_process != tg_context_process()) {
        contexts->nonces_left = 0;
        contexts->nonces_process = tg_context_process();
        enum tg_err err = tg_random(contexts->nonces, sizeof(contexts->nonces));
        if (err != TG_OK) {
            return err;
        }
        contexts->nonces_left = TG_NONCES_KEPT;
    }
    memcpy(ret, contexts->nonces + --contexts->nonces_left * TG_NONCE_BYTES, TG_NONCE_BYTES);
    return TG_OK;
}

/* Key, nonce and associated data, then the text itself from input to out. */
static bool run(EVP_CIPHER_CTX *context, bool seal, const uint8_t *key, const uint8_t *nonce, struct tg_span aad,
                struct tg_span input, uint8_t *out)
{
    int len = 0;
    if (EVP_CipherInit_ex2(context, NULL, key, nonce, seal ? 1 : 0, NULL) != 1 ||
        EVP_CipherUpdate(context, NULL, &len, at(aad), (int)aad.len) != 1) {
        return false;
    }
    return input.len == 0 ||
           (EVP_CipherUpdate(context, out, &len, input.ptr, (int)input.len) == 1 && (size_t)len == input.len);
}

enum tg_err tg_aead_seal(const uint8_t key[TG_KEY_BYTES], struct tg_span aad, struct tg_span plain, uint8_t *out,
                         size_t out_cap, size_t *out_len)
{
    *out_len = 0;
    if (!fits_int(aad) || !fits_int(plain)) {
        return TG_ERR_LIMIT;
    }
    size_t total = TG_NONCE_BYTES + plain.len + TG_TAG_BYTES;
    if (out_cap < total) {
        return TG_ERR_ROOM;
    }
    struct tg_contexts *contexts = tg_contexts_get();
    uint8_t *text = out + TG_NONCE_BYTES;
    int len = 0;
    if (contexts == NULL || take_nonce(contexts, out) != TG_OK ||
        !run(contexts->cipher, true, key, out, aad, plain, text) ||
        EVP_CipherFinal_ex(contexts->cipher, text + plain.len, &len) != 1 || len != 0 ||
        EVP_CIPHER_CTX_ctrl(contexts->cipher, EVP_CTRL_AEAD_GET_TAG, TG_TAG_BYTES, text + plain.len) != 1) {
        tg_contexts_forget_errors();
        tg_wipe(out, total);
        return TG_ERR_BUG;
    }
    *out_len = total;
    return TG_OK;
}

enum tg_err tg_aead_open(const uint8_t key[TG_KEY_BYTES], struct tg_span aad, struct tg_span sealed, uint8_t *out,
                         size_t out_cap, size_t *out_len)
{
    *out_len = 0;
    if (!fits_int(aad) || !fits_int(sealed)) {
        return TG_ERR_LIMIT;
    }
    if (sealed.len < TG_NONCE_BYTES + TG_TAG_BYTES) {
        return TG_ERR_INPUT;
    }
    size_t plain_len = sealed.len - TG_NONCE_BYTES - TG_TAG_BYTES;
    if (out_cap < plain_len) {
        return TG_ERR_ROOM;
    }
    struct tg_contexts *contexts = tg_contexts_get();
    uint8_t tag[TG_TAG_BYTES];
    uint8_t none[16]; /* where Final would write a block that GCM does not have */
    int len = 0;
    memcpy(tag, sealed.ptr + sealed.len - TG_TAG_BYTES, TG_TAG_BYTES);
    if (contexts == NULL ||
        !run(contexts->cipher, false, key, sealed.ptr, aad, tg_span(sealed.ptr + TG_NONCE_BYTES, plain_len), out) ||
        EVP_CIPHER_CTX_ctrl(contexts->cipher, EVP_CTRL_AEAD_SET_TAG, TG_TAG_BYTES, tag) != 1) {
        tg_contexts_forget_errors();
        tg_wipe(out, plain_len);
        return TG_ERR_BUG;
    }
    if (EVP_CipherFinal_ex(contexts->cipher, none, &len) != 1) {
        tg_contexts_forget_errors();
        tg_wipe(out, plain_len);
        return TG_ERR_INPUT;
    }
    *out_len = plain_len;
    return TG_OK;
}
