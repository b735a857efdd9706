/*
 * context.h - OpenSSL objects that are made once: algorithms for the process, contexts for each thread.
 *
 * Promises: a thread's contexts are made at its first use and freed when it ends; algorithms are fetched
 * once and only read afterwards, so a fork (nginx's workers) may go on using them.
 * Does not: leave this room. The structs are what EVP_MD_CTX and its like are names of.
 */
#ifndef TG_CRYPTO_CONTEXT_H
#define TG_CRYPTO_CONTEXT_H

struct evp_md_st;
struct evp_md_ctx_st;
struct evp_mac_ctx_st;
struct evp_cipher_ctx_st;
struct evp_kdf_st;

struct tg_contexts {
    struct evp_md_ctx_st *digest;     /* any state; initialised by each use */
    struct evp_mac_ctx_st *mac;       /* HMAC with SHA-256 already set */
    struct evp_cipher_ctx_st *cipher; /* AES-256-GCM already set */
};

/* This thread's contexts, or NULL when OpenSSL has no memory or no such algorithm. */
struct tg_contexts *tg_contexts_get(void);

/* SHA-256, fetched; NULL when the provider is missing. */
const struct evp_md_st *tg_context_sha256(void);

/* Drops what OpenSSL noted about a failure: nginx would find it in its own next TLS call and close on it. */
void tg_contexts_forget_errors(void);

/* HKDF, fetched; NULL when the provider is missing. */
struct evp_kdf_st *tg_context_hkdf(void);

#endif
