/*
 * context.h - OpenSSL objects that are made once: algorithms for the process, contexts for each thread.
 *
 * Promises: a thread's contexts are made at its first use and freed when it ends; algorithms are fetched
 * once and only read afterwards, so a fork (nginx's workers) may go on using them.
 * Does not: leave this room. The structs are what EVP_CIPHER_CTX and its like are names of.
 */
#ifndef TG_CRYPTO_CONTEXT_H
#define TG_CRYPTO_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto.h"

/* Drawing random bytes costs the same for one nonce and for so many. */
#define TG_NONCES_KEPT 32

struct evp_cipher_ctx_st;
struct evp_kdf_st;

struct tg_contexts {
    struct evp_cipher_ctx_st *cipher;                /* AES-256-GCM already set */
    uint8_t nonces[TG_NONCES_KEPT * TG_NONCE_BYTES]; /* random, none used twice: aead.c takes them from the end */
    size_t nonces_left;
    unsigned nonces_process; /* tg_context_process() when they were drawn */
};

/* Changes with every fork: what a process may do once, its children must not do again. */
unsigned tg_context_process(void);

/* This thread's contexts, or NULL when OpenSSL has no memory or no such algorithm. */
struct tg_contexts *tg_contexts_get(void);

/* Drops what OpenSSL noted about a failure: nginx would find it in its own next TLS call and close on it. */
void tg_contexts_forget_errors(void);

/* HKDF, fetched; NULL when the provider is missing. */
struct evp_kdf_st *tg_context_hkdf(void);

#endif
