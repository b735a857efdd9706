/*
 * context.c - fetched algorithms and per-thread contexts.
 *
 * Promises: as context.h; the pthread key frees a thread's contexts, and OpenSSL wipes what they held.
 * Does not: free the process's algorithms: they end with it.
 */
#include "crypto/context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/banned.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool ready;
static unsigned process;
static EVP_KDF *hkdf;
static EVP_CIPHER *aes_gcm;

/* The fast path: reading a thread variable is cheaper than pthread_getspecific. */
static __thread struct tg_contexts *mine;

static void contexts_free(void *pointer)
{
    struct tg_contexts *contexts = pointer;
    EVP_CIPHER_CTX_free(contexts->cipher);
    free(contexts);
    mine = NULL;
}

static void after_fork(void)
{
    process++;
}

static void fetch_all(void)
{
    hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    aes_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ready = pthread_key_create(&thread_key, contexts_free) == 0 && pthread_atfork(NULL, NULL, after_fork) == 0;
}

/* Sets what never changes between uses, so that each use gives only key and data. */
static bool prepare(struct tg_contexts *contexts)
{
    return contexts->cipher != NULL && EVP_CipherInit_ex2(contexts->cipher, aes_gcm, NULL, NULL, 1, NULL) == 1;
}

static struct tg_contexts *contexts_make(void)
{
    pthread_once(&once, fetch_all);
    if (hkdf == NULL || aes_gcm == NULL || !ready) {
        return NULL;
    }
    struct tg_contexts *contexts = calloc(1, sizeof(*contexts));
    if (contexts == NULL) {
        return NULL;
    }
    contexts->cipher = EVP_CIPHER_CTX_new();
    if (!prepare(contexts) || pthread_setspecific(thread_key, contexts) != 0) {
        contexts_free(contexts);
        return NULL;
    }
    mine = contexts;
    return contexts;
}

struct tg_contexts *tg_contexts_get(void)
{
    return mine != NULL ? mine : contexts_make();
}

unsigned tg_context_process(void)
{
    return process;
}

void tg_contexts_forget_errors(void)
{
    ERR_clear_error();
}

EVP_KDF *tg_context_hkdf(void)
{
    return tg_contexts_get() == NULL ? NULL : hkdf;
}
