/*
 * answer_test.c - a frame of works becomes a frame of results; broken ones become nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sealer/serve.h"

static struct tg_sealer sealer;
static uint8_t scratch[4096];

static enum tg_err answer(struct tg_span body, struct tg_buf *out)
{
    struct tg_frame frame = {TG_FRAME_SEAL, 3, 4, body};
    return tg_serve_frame(&sealer, &frame, out, scratch, sizeof(scratch));
}

static void test_answers(void **state)
{
    (void)state;
    static const uint8_t master[TG_KEY_BYTES] = {3};
    uint8_t bytes[512];
    struct tg_frame frame;
    struct tg_seal_result result;
    size_t used = 0;
    uint16_t count = 0;
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    assert_int_equal(tg_keys_derive(&sealer.keys, master), TG_OK);
    assert_int_equal(answer(TG_SPAN("\0\2"
                                    "\1\0\0\0\1\0\0\0\1x"
                                    "\1\0\0\0\4\0\0\0\1x"),
                            &out),
                     TG_OK);
    assert_int_equal(tg_frame_read(TG_ROLE_SEALER, tg_buf_span(&out), &frame, &used), TG_OK);
    assert_int_equal(frame.slot, 3);
    assert_int_equal(frame.turn, 4);
    struct tg_cursor cursor = tg_cursor(frame.body);
    assert_int_equal(tg_seal_read_count(&cursor, &count), TG_OK);
    assert_int_equal(count, 2);
    assert_int_equal(tg_seal_read_result(&cursor, &result), TG_OK);
    assert_true(result.status == TG_SEAL_DONE && result.output.len == TG_DIGEST_BYTES);
    assert_int_equal(tg_seal_read_result(&cursor, &result), TG_OK);
    assert_true(result.status == TG_SEAL_NO_KEY && result.output.len == 0);
    assert_int_equal(tg_cursor_done(&cursor), TG_OK);
    tg_keys_free(&sealer.keys);
}

static void test_broken_bodies(void **state)
{
    (void)state;
    uint8_t bytes[512];
    const struct tg_span bodies[] = {TG_SPAN(""),      TG_SPAN("\0"),       TG_SPAN("\0\1"),
                                     TG_SPAN("\0\0x"), TG_SPAN("\xff\xff"), TG_SPAN("\0\1\1\0\0\0\1\0\0\0\2x")};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct tg_buf out = tg_buf(bytes, sizeof(bytes));
        assert_int_not_equal(answer(bodies[i], &out), TG_OK);
    }
}

/* No room for the output: the work fails, the answer stays whole. */
static void test_no_room(void **state)
{
    (void)state;
    uint8_t bytes[TG_FRAME_HEADER_BYTES + 2 + 5];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    assert_int_equal(answer(TG_SPAN("\0\1\1\0\0\0\1\0\0\0\1x"), &out), TG_OK);
    assert_int_equal(bytes[sizeof(bytes) - 5], TG_SEAL_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_broken_bodies),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
