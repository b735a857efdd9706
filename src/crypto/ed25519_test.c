/*
 * ed25519_test.c - signatures by RFC 8032 7.1, and others refused.
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

static void read_hex(uint8_t *to, size_t len, const char *hex)
{
    assert_int_equal(tg_hex_read(tg_span_string(hex), to, len), TG_OK);
}

static void expect_case(const char *seed_hex, const char *public_hex, struct tg_span text, const char *signature_hex)
{
    uint8_t seed[32];
    uint8_t public_key[32];
    uint8_t signature[64];
    read_hex(seed, sizeof(seed), seed_hex);
    assert_int_equal(tg_ed25519_public(seed, public_key), TG_OK);
    expect_hex(public_key, sizeof(public_key), public_hex);
    assert_int_equal(tg_ed25519_sign(seed, text, signature), TG_OK);
    expect_hex(signature, sizeof(signature), signature_hex);
    assert_int_equal(tg_ed25519_verify(public_key, text, signature), TG_OK);
    signature[63] ^= 1;
    assert_int_equal(tg_ed25519_verify(public_key, text, signature), TG_ERR_INPUT);
    signature[63] ^= 1;
    public_key[0] ^= 1;
    assert_int_equal(tg_ed25519_verify(public_key, text, signature), TG_ERR_INPUT);
}

static void test_vectors(void **state)
{
    (void)state;
    expect_case("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", (struct tg_span){NULL, 0},
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    expect_case("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", TG_SPAN("\x72"),
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
