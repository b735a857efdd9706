/*
 * frame_test.c - the header byte by byte, and who may send what.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "wire/frame.h"

static const struct {
    enum tg_role role;
    uint8_t type;
} allowed[] = {
    {TG_ROLE_GATE, TG_FRAME_HELLO},
    {TG_ROLE_GATE, TG_FRAME_AUTH},
    {TG_ROLE_GATE, TG_FRAME_ADMIT},
    {TG_ROLE_GATE, TG_FRAME_SETTLE},
    {TG_ROLE_GATE, TG_FRAME_NOTE},
    {TG_ROLE_GATE, TG_FRAME_STATS},
    {TG_ROLE_ADMIN, TG_FRAME_ADMIN},
    {TG_ROLE_KEEPER, TG_FRAME_HELLO_ANSWER},
    {TG_ROLE_KEEPER, TG_FRAME_AUTH_ANSWER},
    {TG_ROLE_KEEPER, TG_FRAME_ADMIT_ANSWER},
    {TG_ROLE_KEEPER, TG_FRAME_SETTLE_ANSWER},
    {TG_ROLE_KEEPER, TG_FRAME_STATS_ANSWER},
    {TG_ROLE_KEEPER, TG_FRAME_FLUSH},
    {TG_ROLE_KEEPER, TG_FRAME_ADMIN_ANSWER},
    {TG_ROLE_KEEPER, TG_FRAME_SEAL},
    {TG_ROLE_SEALER, TG_FRAME_SEAL_ANSWER},
};

static bool is_allowed(int role, int type)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if ((int)allowed[i].role == role && allowed[i].type == type) {
            return true;
        }
    }
    return false;
}

static void test_roles(void **state)
{
    (void)state;
    for (int role = 0; role < 6; role++) {
        for (int type = 0; type < 256; type++) {
            bool may = tg_frame_limit((enum tg_role)role, (uint8_t)type) > 0;
            if (may != is_allowed(role, type)) {
                fail_msg("role %d, type %d", role, type);
            }
        }
    }
}

/* One frame of `type` with a body of three bytes. */
static struct tg_buf make_frame(uint8_t *bytes, size_t cap, uint8_t type)
{
    struct tg_buf out = tg_buf(bytes, cap);
    size_t at = tg_frame_begin(&out, type, 0x0102, 0x03040506);
    tg_buf_put_string(&out, "abc");
    tg_frame_end(&out, at);
    assert_int_equal(tg_buf_done(&out), TG_OK);
    return out;
}

static void test_layout(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct tg_buf out = make_frame(bytes, sizeof(bytes), TG_FRAME_AUTH);
    assert_true(tg_span_equal(tg_buf_span(&out), TG_SPAN("\0\0\0\3\1\3\1\2\3\4\5\6\0\0\0\0"
                                                         "abc")));
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct tg_buf out = make_frame(bytes, sizeof(bytes), TG_FRAME_AUTH);
    struct tg_frame frame;
    size_t used = 7;
    for (size_t len = 0; len < out.len; len++) {
        assert_int_equal(tg_frame_read(TG_ROLE_GATE, tg_span(bytes, len), &frame, &used), TG_ERR_ROOM);
        assert_int_equal(used, len < TG_FRAME_HEADER_BYTES ? 0 : out.len);
        assert_int_equal(frame.body.len, 0);
    }
    /* What stands behind a frame is the next one's. */
    assert_int_equal(tg_frame_read(TG_ROLE_GATE, tg_span(bytes, out.len + 5), &frame, &used), TG_OK);
    assert_int_equal(used, out.len);
    assert_int_equal(frame.type, TG_FRAME_AUTH);
    assert_int_equal(frame.slot, 0x0102);
    assert_int_equal(frame.turn, 0x03040506);
    assert_true(tg_span_equal(frame.body, TG_SPAN("abc")));
}

static void test_broken_headers(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct tg_frame frame;
    size_t used = 0;
    struct tg_buf out = make_frame(bytes, sizeof(bytes), TG_FRAME_AUTH);
    assert_int_equal(tg_frame_read(TG_ROLE_KEEPER, tg_buf_span(&out), &frame, &used), TG_ERR_INPUT);
    assert_int_equal(tg_frame_read(TG_ROLE_ADMIN, tg_buf_span(&out), &frame, &used), TG_ERR_INPUT);
    for (size_t at = 12; at < 16; at++) {
        bytes[at] = 1;
        assert_int_equal(tg_frame_read(TG_ROLE_GATE, tg_buf_span(&out), &frame, &used), TG_ERR_INPUT);
        bytes[at] = 0;
    }
    bytes[4] = 2;
    assert_int_equal(tg_frame_read(TG_ROLE_GATE, tg_buf_span(&out), &frame, &used), TG_ERR_INPUT);
    bytes[4] = 1;
    bytes[5] = 200;
    assert_int_equal(tg_frame_read(TG_ROLE_GATE, tg_buf_span(&out), &frame, &used), TG_ERR_INPUT);
}

static void test_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        uint8_t bytes[64];
        struct tg_frame frame;
        size_t used = 0;
        struct tg_buf out = make_frame(bytes, sizeof(bytes), allowed[i].type);
        size_t limit = tg_frame_limit(allowed[i].role, allowed[i].type);
        assert_true(limit <= TG_FRAME_BODY_BYTES_MAX);
        bytes[0] = (uint8_t)(limit >> 24);
        bytes[1] = (uint8_t)(limit >> 16);
        bytes[2] = (uint8_t)(limit >> 8);
        bytes[3] = (uint8_t)limit;
        assert_int_equal(tg_frame_read(allowed[i].role, tg_buf_span(&out), &frame, &used), TG_ERR_ROOM);
        assert_int_equal(used, limit + TG_FRAME_HEADER_BYTES);
        bytes[3] |= 1; /* every limit is even */
        bytes[0] = limit == TG_FRAME_BODY_BYTES_MAX ? bytes[0] : 0xff;
        assert_int_equal(tg_frame_read(allowed[i].role, tg_buf_span(&out), &frame, &used), TG_ERR_LIMIT);
    }
}

static void test_full_buffer(void **state)
{
    (void)state;
    uint8_t bytes[TG_FRAME_HEADER_BYTES + 2];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    size_t at = tg_frame_begin(&out, TG_FRAME_AUTH, 0, 0);
    tg_buf_put_string(&out, "abc");
    tg_frame_end(&out, at);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
    out = tg_buf(bytes, 5);
    at = tg_frame_begin(&out, TG_FRAME_AUTH, 0, 0);
    tg_frame_end(&out, at);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),          cmocka_unit_test(test_layout), cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_broken_headers), cmocka_unit_test(test_limits), cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
