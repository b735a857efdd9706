/*
 * digest_test.c - SHA-256 by the examples of FIPS 180-4, and lists of parts that do not collide.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hex.h"
#include "crypto/crypto.h"

static void expect_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    uint8_t expected[128];
    assert_int_equal(tg_hex_read(tg_span_string(hex), expected, len), TG_OK);
    assert_memory_equal(bytes, expected, len);
}

static void test_vectors(void **state)
{
    (void)state;
    uint8_t digest[TG_DIGEST_BYTES];
    assert_int_equal(tg_sha256(TG_SPAN("abc"), digest), TG_OK);
    expect_hex(digest, sizeof(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(tg_sha256((struct tg_span){NULL, 0}, digest), TG_OK);
    expect_hex(digest, sizeof(digest), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(tg_sha256(TG_SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest), TG_OK);
    expect_hex(digest, sizeof(digest), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_parts(void **state)
{
    (void)state;
    const struct tg_span one[] = {TG_SPAN("ab"), TG_SPAN("c")};
    const struct tg_span two[] = {TG_SPAN("a"), TG_SPAN("bc")};
    const struct tg_span three[] = {TG_SPAN("ab"), TG_SPAN("c"), {NULL, 0}};
    uint8_t a[TG_DIGEST_BYTES];
    uint8_t b[TG_DIGEST_BYTES];
    uint8_t c[TG_DIGEST_BYTES];
    uint8_t whole[TG_DIGEST_BYTES];
    assert_int_equal(tg_sha256_parts(one, 2, a), TG_OK);
    assert_int_equal(tg_sha256_parts(two, 2, b), TG_OK);
    assert_int_equal(tg_sha256_parts(three, 3, c), TG_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, c, sizeof(a));
    assert_int_equal(tg_sha256(TG_SPAN("\0\0\0\0\0\0\0\2"
                                       "ab"
                                       "\0\0\0\0\0\0\0\1"
                                       "c"),
                               whole),
                     TG_OK);
    assert_memory_equal(a, whole, sizeof(a));
    assert_int_equal(tg_sha256_parts(NULL, 0, a), TG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
