/*
 * work_test.c - each operation by known answers and with the wrong key.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sealer/work.h"

static struct tg_sealer sealer;
static uint8_t out[256];

static int derive(void **state)
{
    (void)state;
    static const uint8_t master[TG_KEY_BYTES] = {3};
    return tg_keys_derive(&sealer.keys, master) == TG_OK ? 0 : 1;
}

static int forget(void **state)
{
    (void)state;
    tg_keys_free(&sealer.keys);
    return 0;
}

static uint8_t run(uint8_t operation, uint32_t key, struct tg_span input, size_t *len)
{
    struct tg_seal_work work = {operation, key, {NULL, 0}, input};
    return tg_work_do(&sealer, &work, out, sizeof(out), len);
}

static void test_operations(void **state)
{
    (void)state;
    uint8_t text[TG_DIGEST_BYTES + 4];
    size_t len = 0;
    assert_int_equal(run(TG_SEAL_MAC, TG_SEAL_KEY_CLAIM, TG_SPAN("text"), &len), TG_SEAL_DONE);
    assert_int_equal(len, TG_DIGEST_BYTES);
    memcpy(text, out, TG_DIGEST_BYTES);
    memcpy(text + TG_DIGEST_BYTES, "text", 4);
    assert_int_equal(run(TG_SEAL_VERIFY_MAC, TG_SEAL_KEY_CLAIM, tg_span(text, sizeof(text)), &len), TG_SEAL_DONE);
    assert_int_equal(len, 0);
    text[35] ^= 1;
    assert_int_equal(run(TG_SEAL_VERIFY_MAC, TG_SEAL_KEY_CLAIM, tg_span(text, sizeof(text)), &len), TG_SEAL_BAD);
    assert_int_equal(run(TG_SEAL_VERIFY_MAC, TG_SEAL_KEY_CLAIM, tg_span(text, 31), &len), TG_SEAL_BAD);
    uint8_t public_key[32];
    assert_int_equal(run(TG_SEAL_PUBLIC, TG_SEAL_KEY_RECORD, tg_span(NULL, 0), &len), TG_SEAL_DONE);
    memcpy(public_key, out, sizeof(public_key));
    assert_int_equal(run(TG_SEAL_SIGN, TG_SEAL_KEY_RECORD, TG_SPAN("head"), &len), TG_SEAL_DONE);
    assert_int_equal(len, TG_SIGNATURE_BYTES);
    assert_int_equal(tg_ed25519_verify(public_key, TG_SPAN("head"), out), TG_OK);
    assert_int_equal(run(TG_SEAL_PUBLIC, TG_SEAL_KEY_RECORD, TG_SPAN("x"), &len), TG_SEAL_BAD);
}

static void test_seal_and_room(void **state)
{
    (void)state;
    uint8_t sealed[64];
    size_t len = 0;
    struct tg_seal_work work = {TG_SEAL_SEAL, TG_SEAL_KEY_CREDENTIAL, TG_SPAN("aad"), TG_SPAN("plain")};
    assert_int_equal(tg_work_do(&sealer, &work, sealed, sizeof(sealed), &len), TG_SEAL_DONE);
    work.operation = TG_SEAL_OPEN;
    work.input = tg_span(sealed, len);
    assert_int_equal(tg_work_do(&sealer, &work, out, sizeof(out), &len), TG_SEAL_DONE);
    assert_true(tg_span_equal(tg_span(out, len), TG_SPAN("plain")));
    work.aad = TG_SPAN("ada");
    assert_int_equal(tg_work_do(&sealer, &work, out, sizeof(out), &len), TG_SEAL_BAD);
    assert_int_equal(len, 0);
    static const uint8_t large[200];
    work = (struct tg_seal_work){TG_SEAL_SEAL, TG_SEAL_KEY_CREDENTIAL, {NULL, 0}, {large, sizeof(large)}};
    assert_int_equal(tg_work_do(&sealer, &work, out, 227, &len), TG_SEAL_FAILED);
    assert_int_equal(tg_work_do(&sealer, &work, out, 228, &len), TG_SEAL_DONE);
    assert_int_equal(tg_work_do(&sealer, &work, out, 63, &len), TG_SEAL_FAILED);
}

static void test_wrong_keys(void **state)
{
    (void)state;
    size_t len = 0;
    const uint8_t operations[] = {TG_SEAL_MAC,  TG_SEAL_VERIFY_MAC, TG_SEAL_SIGN,        TG_SEAL_SEAL,
                                  TG_SEAL_OPEN, TG_SEAL_KEY_MAKE,   TG_SEAL_KEY_DESTROY, TG_SEAL_PUBLIC};
    for (size_t i = 0; i < sizeof(operations); i++) {
        assert_int_equal(run(operations[i], TG_KEYS_RING, TG_SPAN("x"), &len), TG_SEAL_NO_KEY);
        assert_int_equal(run(operations[i], 6, TG_SPAN("x"), &len), TG_SEAL_NO_KEY);
        assert_int_equal(len, 0);
    }
    assert_int_equal(run(TG_SEAL_GUARD, TG_SEAL_KEY_CLAIM, TG_SPAN("x"), &len), TG_SEAL_BAD);
    assert_int_equal(run(TG_SEAL_GUARD, 0, TG_SPAN("x"), &len), TG_SEAL_BAD);
    assert_int_equal(run(TG_SEAL_GUARD + 1, 0, tg_span(NULL, 0), &len), TG_SEAL_BAD);
    assert_int_equal(run(TG_SEAL_SEAL, TG_SEAL_KEY_SEGMENT, TG_SPAN("x"), &len), TG_SEAL_NO_KEY);
}

static void test_guard(void **state)
{
    (void)state;
    size_t len = 7;
    assert_int_equal(run(TG_SEAL_GUARD, 0, tg_span(NULL, 0), &len), TG_SEAL_DONE);
    assert_int_equal(len, 0);
    memcpy(sealer.guard, "keys=locked", sizeof("keys=locked"));
    assert_int_equal(run(TG_SEAL_GUARD, 0, tg_span(NULL, 0), &len), TG_SEAL_DONE);
    assert_true(tg_span_equal(tg_span(out, len), TG_SPAN("keys=locked")));
}

static void test_self_test(void **state)
{
    (void)state;
    assert_int_equal(tg_work_self_test(), TG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_seal_and_room),
        cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_self_test),
    };
    return cmocka_run_group_tests(tests, derive, forget);
}
