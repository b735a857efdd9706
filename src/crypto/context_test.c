/*
 * context_test.c - each thread has contexts of its own, a fork goes on, and a failure leaves no error behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/context.h"
#include "crypto/crypto.h"

static void *get_in_thread(void *unused)
{
    uint8_t digest[TG_DIGEST_BYTES];
    (void)unused;
    struct tg_contexts *first = tg_contexts_get();
    bool fine = tg_sha256(TG_SPAN("abc"), digest) == TG_OK && digest[0] == 0xba && tg_contexts_get() == first;
    return fine ? first : NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t thread;
    void *theirs = NULL;
    struct tg_contexts *ours = tg_contexts_get();
    assert_non_null(ours);
    assert_int_equal(pthread_create(&thread, NULL, get_in_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &theirs), 0);
    assert_non_null(theirs);
    assert_ptr_not_equal(theirs, ours);
    assert_ptr_equal(tg_contexts_get(), ours);
}

static void test_fork(void **state)
{
    (void)state;
    uint8_t digest[TG_DIGEST_BYTES];
    int status = -1;
    assert_int_equal(tg_sha256(TG_SPAN("abc"), digest), TG_OK);
    pid_t child = fork();
    if (child == 0) {
        uint8_t again[TG_DIGEST_BYTES];
        bool fine = tg_sha256(TG_SPAN("abc"), again) == TG_OK && memcmp(again, digest, sizeof(again)) == 0;
        _exit(fine ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_no_error_stays(void **state)
{
    (void)state;
    static const uint8_t key[TG_KEY_BYTES];
    static const uint8_t sealed[40];
    uint8_t out[40];
    uint8_t signature[TG_SIGNATURE_BYTES];
    size_t len = 0;
    memset(signature, 0xff, sizeof(signature));
    assert_int_equal(tg_aead_open(key, TG_SPAN(""), tg_span(sealed, sizeof(sealed)), out, sizeof(out), &len),
                     TG_ERR_INPUT);
    assert_int_equal(tg_ed25519_verify(key, TG_SPAN("x"), signature), TG_ERR_INPUT);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_no_error_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
