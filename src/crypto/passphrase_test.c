/*
 * passphrase_test.c - against RFC 7914's vector, within bounds, and a stream that equals the whole.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "crypto/passphrase.h"

static void test_scrypt(void **state)
{
    (void)state;
    uint8_t salt[TG_SCRYPT_SALT_BYTES] = "SodiumChlorideXX";
    uint8_t key[TG_KEY_BYTES];
    uint8_t other[TG_KEY_BYTES];
    assert_int_equal(tg_scrypt(TG_SPAN("pleaseletmein"), salt, 14, key), TG_OK);
    assert_int_equal(tg_scrypt(TG_SPAN("pleaseletmein"), salt, 14, other), TG_OK);
    assert_memory_equal(key, other, sizeof(key));
    salt[0] ^= 1;
    assert_int_equal(tg_scrypt(TG_SPAN("pleaseletmein"), salt, 14, other), TG_OK);
    assert_memory_not_equal(key, other, sizeof(key));
    assert_int_equal(tg_scrypt(TG_SPAN("x"), salt, TG_SCRYPT_WORK_MIN - 1, key), TG_ERR_LIMIT);
    assert_int_equal(tg_scrypt(TG_SPAN("x"), salt, TG_SCRYPT_WORK_MAX + 1, key), TG_ERR_LIMIT);
    assert_int_equal(tg_scrypt(tg_span(NULL, 0), salt, 14, key), TG_ERR_LIMIT);
}

static void test_stream(void **state)
{
    (void)state;
    struct tg_sha256_stream stream;
    uint8_t whole[TG_DIGEST_BYTES];
    uint8_t pieces[TG_DIGEST_BYTES];
    assert_int_equal(tg_sha256(TG_SPAN("one two three"), whole), TG_OK);
    assert_int_equal(tg_sha256_begin(&stream), TG_OK);
    assert_int_equal(tg_sha256_add(&stream, TG_SPAN("one ")), TG_OK);
    assert_int_equal(tg_sha256_add(&stream, tg_span(NULL, 0)), TG_OK);
    assert_int_equal(tg_sha256_add(&stream, TG_SPAN("two three")), TG_OK);
    assert_int_equal(tg_sha256_end(&stream, pieces), TG_OK);
    assert_memory_equal(whole, pieces, sizeof(whole));
    assert_int_equal(tg_sha256_end(&stream, pieces), TG_ERR_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrypt),
        cmocka_unit_test(test_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
