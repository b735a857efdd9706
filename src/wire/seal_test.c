/*
 * seal_test.c - works and results there and back, cut at every byte, and one too many.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/seal.h"

static uint8_t room[256 * 1024];

static struct tg_span body_of(enum tg_role role, const struct tg_buf *out)
{
    struct tg_frame frame;
    size_t used = 0;
    assert_int_equal(tg_buf_done(out), TG_OK);
    assert_int_equal(tg_frame_read(role, tg_buf_span(out), &frame, &used), TG_OK);
    assert_int_equal(used, out->len);
    return frame.body;
}

/* Reads all works of a body; the first error, or what the cursor says at the end. */
static enum tg_err read_works(struct tg_span body, struct tg_seal_work *works, uint16_t *count)
{
    struct tg_cursor cursor = tg_cursor(body);
    enum tg_err err = tg_seal_read_count(&cursor, count);
    for (uint16_t i = 0; i < *count && err == TG_OK; i++) {
        err = tg_seal_read_work(&cursor, &works[i]);
    }
    return err != TG_OK ? err : tg_cursor_done(&cursor);
}

static void test_works(void **state)
{
    (void)state;
    const struct tg_seal_work works[] = {
        {TG_SEAL_MAC, TG_SEAL_KEY_CLAIM, {NULL, 0}, TG_SPAN("text")},
        {TG_SEAL_SEAL, TG_SEAL_KEY_SEGMENT + 7, TG_SPAN("aad"), TG_SPAN("plain")},
        {TG_SEAL_OPEN, TG_SEAL_KEY_CREDENTIAL, {NULL, 0}, TG_SPAN("sealed")},
        {TG_SEAL_KEY_MAKE, TG_SEAL_KEY_SEGMENT, {NULL, 0}, {NULL, 0}},
    };
    struct tg_seal_work again[4];
    struct tg_seal_writer writer;
    struct tg_buf out = tg_buf(room, sizeof(room));
    uint16_t count = 0;
    tg_seal_begin(&writer, &out, TG_FRAME_SEAL, 1, 2);
    for (size_t i = 0; i < 4; i++) {
        size_t before = out.len;
        tg_seal_add_work(&writer, &works[i]);
        assert_int_equal(out.len - before, tg_seal_work_size(&works[i]));
    }
    tg_seal_end(&writer);
    struct tg_span body = body_of(TG_ROLE_KEEPER, &out);
    assert_int_equal(read_works(body, again, &count), TG_OK);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(again[i].operation, works[i].operation);
        assert_int_equal(again[i].key, works[i].key);
        assert_true(tg_span_equal(again[i].aad, works[i].aad));
        assert_true(tg_span_equal(again[i].input, works[i].input));
    }
    for (size_t len = 0; len < body.len; len++) {
        assert_int_equal(read_works(tg_span(body.ptr, len), again, &count), TG_ERR_INPUT);
    }
    assert_int_equal(read_works(tg_span(body.ptr, body.len + 1), again, &count), TG_ERR_INPUT);
}

static void test_results(void **state)
{
    (void)state;
    struct tg_seal_writer writer;
    struct tg_seal_result result;
    struct tg_buf out = tg_buf(room, sizeof(room));
    uint16_t count = 0;
    tg_seal_begin(&writer, &out, TG_FRAME_SEAL_ANSWER, 1, 2);
    tg_seal_add_result(&writer, TG_SEAL_DONE, TG_SPAN("mac"));
    tg_seal_add_result(&writer, TG_SEAL_NO_KEY, (struct tg_span){NULL, 0});
    tg_seal_end(&writer);
    struct tg_span body = body_of(TG_ROLE_SEALER, &out);
    struct tg_cursor cursor = tg_cursor(body);
    assert_int_equal(tg_seal_read_count(&cursor, &count), TG_OK);
    assert_int_equal(count, 2);
    assert_int_equal(tg_seal_read_result(&cursor, &result), TG_OK);
    assert_true(result.status == TG_SEAL_DONE && tg_span_equal(result.output, TG_SPAN("mac")));
    assert_int_equal(tg_seal_read_result(&cursor, &result), TG_OK);
    assert_true(result.status == TG_SEAL_NO_KEY && result.output.len == 0);
    assert_int_equal(tg_cursor_done(&cursor), TG_OK);
    assert_int_equal(tg_seal_read_result(&cursor, &result), TG_ERR_INPUT);
    cursor = tg_cursor(TG_SPAN("\4\0\0\0\0"));
    assert_int_equal(tg_seal_read_result(&cursor, &result), TG_ERR_INPUT);
}

static void test_one_too_many(void **state)
{
    (void)state;
    const struct tg_seal_work work = {TG_SEAL_MAC, TG_SEAL_KEY_CLAIM, {NULL, 0}, TG_SPAN("x")};
    struct tg_seal_writer writer;
    struct tg_buf out = tg_buf(room, sizeof(room));
    tg_seal_begin(&writer, &out, TG_FRAME_SEAL, 1, 2);
    for (size_t i = 0; i < TG_SEAL_WORKS_MAX; i++) {
        tg_seal_add_work(&writer, &work);
    }
    assert_int_equal(tg_buf_done(&out), TG_OK);
    tg_seal_add_work(&writer, &work);
    tg_seal_end(&writer);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
    uint16_t count = 0;
    struct tg_cursor cursor = tg_cursor(TG_SPAN("\x08\x01"));
    assert_int_equal(tg_seal_read_count(&cursor, &count), TG_ERR_LIMIT);
    assert_int_equal(count, 0);
}

static void test_works_refused(void **state)
{
    (void)state;
    const struct tg_seal_work wrong[] = {
        {0, 1, {NULL, 0}, {NULL, 0}},
        {TG_SEAL_GUARD + 1, 1, {NULL, 0}, {NULL, 0}},
        {TG_SEAL_MAC, 1, TG_SPAN("aad"), {NULL, 0}}, /* a MAC has none */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct tg_seal_writer writer;
        struct tg_buf out = tg_buf(room, sizeof(room));
        tg_seal_begin(&writer, &out, TG_FRAME_SEAL, 1, 2);
        tg_seal_add_work(&writer, &wrong[i]);
        tg_seal_end(&writer);
        assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
    }
    struct tg_seal_work work;
    /* SEAL whose associated data is longer than the work. */
    struct tg_cursor cursor = tg_cursor(TG_SPAN("\4\0\0\0\4\0\0\0\3\0\2x"));
    assert_int_equal(tg_seal_read_work(&cursor, &work), TG_ERR_INPUT);
    cursor = tg_cursor(TG_SPAN("\x0a\0\0\0\4\0\0\0\0"));
    assert_int_equal(tg_seal_read_work(&cursor, &work), TG_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_works),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_one_too_many),
        cmocka_unit_test(test_works_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
