/*
 * digest_test.c - SHA-256 by the examples of FIPS 180-4, and lists of parts that do not collide.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
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

/* Parts are gathered before they are digested: however long they are, the bytes are the same. */
static void test_parts_of_any_length(void **state)
{
    (void)state;
    static uint8_t bytes[1000];
    static uint8_t plain[8 * 4 + 3 * sizeof(bytes)];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (size_t len = 0; len <= 600; len++) {
        const struct tg_span parts[] = {tg_span(bytes, len), tg_span(bytes + 1, 600 - len), tg_span(bytes + 3, len / 5),
                                        tg_span(bytes + 9, len % 197)};
        struct tg_buf out = tg_buf(plain, sizeof(plain));
        uint8_t got[TG_DIGEST_BYTES];
        uint8_t expected[TG_DIGEST_BYTES];
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            tg_buf_put_u64(&out, parts[i].len);
            tg_buf_put(&out, parts[i]);
        }
        assert_int_equal(tg_buf_done(&out), TG_OK);
        assert_int_equal(tg_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), got), TG_OK);
        assert_int_equal(tg_sha256(tg_buf_span(&out), expected), TG_OK);
        assert_memory_equal(got, expected, sizeof(got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_of_any_length),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
