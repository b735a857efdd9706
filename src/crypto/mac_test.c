/*
 * mac_test.c - HMAC by RFC 4231 and HKDF by RFC 5869.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/hex.h"
#include "crypto/crypto.h"

static void expect_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    uint8_t expected[128];
    assert_int_equal(tg_hex_read(tg_span_string(hex), expected, len), TG_OK);
    assert_memory_equal(bytes, expected, len);
}

static void test_hmac(void **state)
{
    (void)state;
    uint8_t key[131];
    uint8_t mac[TG_DIGEST_BYTES];
    memset(key, 0x0b, 20);
    assert_int_equal(tg_hmac_sha256(tg_span(key, 20), TG_SPAN("Hi There"), mac), TG_OK);
    expect_hex(mac, sizeof(mac), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_int_equal(tg_hmac_sha256(TG_SPAN("Jefe"), TG_SPAN("what do ya want for nothing?"), mac), TG_OK);
    expect_hex(mac, sizeof(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    /* Test case 6: a key longer than a block. */
    memset(key, 0xaa, sizeof(key));
    assert_int_equal(tg_hmac_sha256(tg_span(key, sizeof(key)),
                                    TG_SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), mac),
                     TG_OK);
    expect_hex(mac, sizeof(mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* An empty key is a key: it must not mean "the one before". */
static void test_empty_key(void **state)
{
    (void)state;
    uint8_t mac[TG_DIGEST_BYTES];
    assert_int_equal(tg_hmac_sha256(TG_SPAN("Jefe"), TG_SPAN("x"), mac), TG_OK);
    assert_int_equal(tg_hmac_sha256((struct tg_span){NULL, 0}, (struct tg_span){NULL, 0}, mac), TG_OK);
    expect_hex(mac, sizeof(mac), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 4231 cases 1 and 6 with one prepared key each, and again: nothing of one text stays for the next. */
static void test_prepared(void **state)
{
    (void)state;
    struct tg_mac_key key;
    uint8_t bytes[131];
    uint8_t mac[TG_DIGEST_BYTES];
    memset(bytes, 0x0b, 20);
    assert_int_equal(tg_mac_prepare(&key, tg_span(bytes, 20)), TG_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(tg_mac(&key, TG_SPAN("Hi There"), mac), TG_OK);
        expect_hex(mac, sizeof(mac), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_int_equal(
            tg_mac(&key, TG_SPAN("something else, and longer than a block of SHA-256 is, which is 64 bytes"), mac),
            TG_OK);
    }
    memset(bytes, 0xaa, sizeof(bytes));
    assert_int_equal(tg_mac_prepare(&key, tg_span(bytes, sizeof(bytes))), TG_OK);
    assert_int_equal(tg_mac(&key, TG_SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), mac), TG_OK);
    expect_hex(mac, sizeof(mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_hkdf(void **state)
{
    (void)state;
    uint8_t key[22];
    uint8_t out[42];
    memset(key, 0x0b, sizeof(key));
    /* RFC 5869 A.3: no salt, no info. */
    assert_int_equal(tg_hkdf_sha256(tg_span(key, sizeof(key)), (struct tg_span){NULL, 0}, out, sizeof(out)), TG_OK);
    expect_hex(out, sizeof(out),
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    uint8_t large[255 * 32 + 1];
    assert_int_equal(tg_hkdf_sha256(TG_SPAN("key"), TG_SPAN("info"), large, sizeof(large) - 1), TG_OK);
    assert_int_equal(tg_hkdf_sha256(TG_SPAN("key"), TG_SPAN("info"), large, sizeof(large)), TG_ERR_LIMIT);
    assert_int_equal(large[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_empty_key),
        cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_hkdf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
