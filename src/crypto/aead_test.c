/*
 * aead_test.c - AES-256-GCM by a known answer, there and back, and every changed bit noticed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/crypto.h"

/* Test case 16 of the GCM submission (AES-256, 96-bit nonce, associated data). */
static void test_known_answer(void **state)
{
    (void)state;
    uint8_t key[32];
    uint8_t aad[20];
    uint8_t plain[60];
    uint8_t sealed[12 + 60 + 16];
    uint8_t out[60];
    size_t len = 0;
    assert_int_equal(tg_hex_read(TG_SPAN("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"), key, 32),
                     TG_OK);
    assert_int_equal(tg_hex_read(TG_SPAN("feedfacedeadbeeffeedfacedeadbeefabaddad2"), aad, 20), TG_OK);
    assert_int_equal(tg_hex_read(TG_SPAN("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                                         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"),
                                 plain, 60),
                     TG_OK);
    assert_int_equal(tg_hex_read(TG_SPAN("cafebabefacedbaddecaf888"
                                         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                         "76fc6ece0f4e1768cddf8853bb2d551b"),
                                 sealed, sizeof(sealed)),
                     TG_OK);
    assert_int_equal(tg_aead_open(key, tg_span(aad, 20), tg_span(sealed, sizeof(sealed)), out, sizeof(out), &len),
                     TG_OK);
    assert_int_equal(len, 60);
    assert_memory_equal(out, plain, 60);
}

static void test_there_and_back(void **state)
{
    (void)state;
    static const uint8_t key[TG_KEY_BYTES] = {1, 2, 3};
    uint8_t sealed[28 + 5];
    uint8_t again[28 + 5];
    uint8_t out[5];
    size_t len = 0;
    assert_int_equal(tg_aead_seal(key, TG_SPAN("aad"), TG_SPAN("plain"), sealed, sizeof(sealed), &len), TG_OK);
    assert_int_equal(len, sizeof(sealed));
    assert_int_equal(tg_aead_seal(key, TG_SPAN("aad"), TG_SPAN("plain"), again, sizeof(again), &len), TG_OK);
    assert_memory_not_equal(sealed, again, 12);
    assert_int_equal(tg_aead_open(key, TG_SPAN("aad"), tg_span(sealed, len), out, sizeof(out), &len), TG_OK);
    assert_memory_equal(out, "plain", 5);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        memset(out, 7, sizeof(out));
        assert_int_equal(tg_aead_open(key, TG_SPAN("aad"), tg_span(sealed, sizeof(sealed)), out, sizeof(out), &len),
                         TG_ERR_INPUT);
        assert_int_equal(len, 0);
        assert_memory_equal(out, "\0\0\0\0\0", 5);
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_int_equal(tg_aead_open(key, TG_SPAN("aae"), tg_span(sealed, sizeof(sealed)), out, sizeof(out), &len),
                     TG_ERR_INPUT);
    assert_int_equal(tg_aead_open(key, TG_SPAN("aad"), tg_span(sealed, 27), out, sizeof(out), &len), TG_ERR_INPUT);
}

/* More than are drawn at once, on both sides of a fork: each nonce is given once. */
static void test_nonces(void **state)
{
    (void)state;
    enum { EACH = 100 };
    static const uint8_t key[TG_KEY_BYTES] = {5};
    static uint8_t sealed[2 * EACH][28];
    uint8_t *theirs = (uint8_t *)sealed + sizeof(sealed) / 2;
    struct tg_span none = {NULL, 0};
    size_t len = 0;
    int ends[2];
    int status = -1;
    assert_int_equal(tg_aead_seal(key, none, none, sealed[0], 28, &len), TG_OK); /* some are drawn ahead now */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    for (size_t i = 0; i < EACH; i++) {
        if (tg_aead_seal(key, none, none, sealed[i], 28, &len) != TG_OK) {
            abort();
        }
    }
    if (child == 0) {
        _exit(write(ends[1], sealed, sizeof(sealed) / 2) == sizeof(sealed) / 2 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], theirs, sizeof(sealed) / 2), sizeof(sealed) / 2);
    close(ends[0]);
    close(ends[1]);
    for (size_t i = 0; i < 2 * EACH; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(sealed[i], sealed[j], TG_NONCE_BYTES);
        }
    }
}

static void test_bounds(void **state)
{
    (void)state;
    static const uint8_t key[TG_KEY_BYTES] = {4};
    uint8_t sealed[28];
    uint8_t out[1];
    size_t len = 7;
    struct tg_span none = {NULL, 0};
    assert_int_equal(tg_aead_seal(key, none, none, sealed, 27, &len), TG_ERR_ROOM);
    assert_int_equal(len, 0);
    assert_int_equal(tg_aead_seal(key, none, none, sealed, 28, &len), TG_OK);
    assert_int_equal(tg_aead_open(key, none, tg_span(sealed, 28), out, 0, &len), TG_OK);
    assert_int_equal(len, 0);
    assert_int_equal(tg_aead_open(key, none, tg_span(sealed, (size_t)1 << 40), out, 1, &len), TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_nonces),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
