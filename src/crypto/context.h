/*
 * context.h - OpenSSL objects that are made once: algorithms for the process, contexts for each thread.
 *
 * Promises: a thread's contexts are made at its first use and freed when it ends; algorithms are fetched
 * once and only read afterwards, so a fork (nginx's workers) may go on using them.
 * Does not: leave this room; no other room sees an OpenSSL type.
 */
#ifndef TG_CRYPTO_CONTEXT_H
#define TG_CRYPTO_CONTEXT_H

#include <openssl/evp.h>
#include <stdbool.h>

struct tg_contexts {
    EVP_MD_CTX *digest;      /* any state; initialised by each use */
    EVP_MAC_CTX *mac;        /* HMAC with SHA-256 already set */
    EVP_CIPHER_CTX *cipher;  /* AES-256-GCM already set */
};

/* This thread's contexts, or NULL when OpenSSL has no memory or no such algorithm. */
struct tg_contexts *tg_contexts_get(void);

/* SHA-256, fetched; NULL when the provider is missing. */
const EVP_MD *tg_context_sha256(void);

/* Drops what OpenSSL noted about a failure: nginx would find it in its own next TLS call and close on it. */
void tg_contexts_forget_errors(void);

/* HKDF, fetched; NULL when the provider is missing. */
EVP_KDF *tg_context_hkdf(void);

#endif
