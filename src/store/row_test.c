/* row_test.c - every kind of row there and back; every cut of its bytes is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/row.h"

static struct tg_row full(enum tg_row_kind kind)
{
    struct tg_row row = {.kind = kind, .sequence = 5, .ticket = 4, .expires_us = -3, .has_quota = true,
                         .quota_day = -2, .replaces = 9, .result = 7, .outcome = 1, .upstream_status = 201,
                         .caller_status = 202, .upstream_us = 77, .seal_segment = 3, .has_answer = true,
                         .actor = TG_SPAN("alice"), .note = TG_SPAN("note")};
    row.verdict = (struct tg_verdict_row){.at_us = 1, .flags = 2, .environment = 1, .reason = 3, .status = 4,
                                          .partner = 5, .credential = 6, .amount_minor = INT64_MAX,
                                          .currency = {'J', 'P', 'Y'}, .route = TG_SPAN("r"),
                                          .operation = TG_SPAN("o"), .method = TG_SPAN("GET"),
                                          .path_template = TG_SPAN("/x"), .payer = {1}, .address = {2}};
    memset(row.verdict.request_id, 8, sizeof(row.verdict.request_id));
    memset(row.claim_key, 9, sizeof(row.claim_key));
    memset(row.fingerprint, 10, sizeof(row.fingerprint));
    memset(row.original_id, 11, sizeof(row.original_id));
    return row;
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (int kind = TG_ROW_ADMIT; kind <= TG_ROW_KIND_MAX; kind++) {
        uint8_t first[TG_ROW_BYTES_MAX], second[TG_ROW_BYTES_MAX];
        struct tg_row row = full((enum tg_row_kind)kind), read;
        struct tg_buf out = tg_buf(first, sizeof(first));
        tg_row_write(&out, &row);
        assert_int_equal(tg_buf_done(&out), TG_OK);
        assert_int_equal(tg_row_read(row.kind, 5, tg_buf_span(&out), &read), TG_OK);
        assert_int_equal(read.verdict.amount_minor, INT64_MAX);
        assert_memory_equal(read.verdict.request_id, row.verdict.request_id, 16);
        struct tg_buf again = tg_buf(second, sizeof(second));
        tg_row_write(&again, &read);
        assert_true(tg_span_equal(tg_buf_span(&out), tg_buf_span(&again)));
        for (size_t len = 0; len < out.len; len++)
            assert_int_equal(tg_row_read(row.kind, 5, tg_span(first, len), &read), TG_ERR_CORRUPT);
        assert_int_equal(tg_row_read(row.kind, 5, tg_span(first, out.len + 1), &read), TG_ERR_CORRUPT);
        first[0] = 2; /* a version that this program does not know */
        assert_int_equal(tg_row_read(row.kind, 5, tg_buf_span(&out), &read), TG_ERR_CORRUPT);
    }
}

static void test_claim_parts(void **state)
{
    (void)state;
    uint8_t bytes[TG_ROW_BYTES_MAX];
    struct tg_row row = full(TG_ROW_FINAL), read;
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    tg_row_write(&out, &row);
    assert_int_equal(tg_row_read(TG_ROW_FINAL, 5, tg_buf_span(&out), &read), TG_OK);
    assert_memory_equal(read.claim_key, row.claim_key, sizeof(row.claim_key));
    assert_memory_equal(read.fingerprint, row.fingerprint, sizeof(row.fingerprint));
    assert_int_equal(read.expires_us, -3);
    assert_int_equal(read.ticket, 4);
    assert_int_equal(read.seal_segment, 3);
    assert_true(read.has_answer);
    assert_true(tg_row_is_final(TG_ROW_FINAL) && !tg_row_is_final(TG_ROW_SETTLE));
    assert_int_equal(tg_row_read((enum tg_row_kind)0, 5, tg_buf_span(&out), &read), TG_ERR_CORRUPT);
    assert_int_equal(tg_row_read((enum tg_row_kind)99, 5, tg_buf_span(&out), &read), TG_ERR_CORRUPT);
}

/* Bytes that would read as a row that is written otherwise: flags of 2, a pseudonym of zeroes, a name too long. */
static void test_one_form(void **state)
{
    (void)state;
    uint8_t bytes[TG_ROW_BYTES_MAX + 64];
    struct tg_row row = full(TG_ROW_SETTLE), read;
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    tg_row_write(&out, &row);
    bytes[out.len - 1] = 2; /* has_answer */
    assert_int_equal(tg_row_read(row.kind, 5, tg_buf_span(&out), &read), TG_ERR_CORRUPT);
    row = full(TG_ROW_REFUSAL);
    out = tg_buf(bytes, sizeof(bytes));
    tg_row_write(&out, &row);
    memset(bytes + out.len - 16, 0, 16); /* address */
    assert_int_equal(tg_row_read(row.kind, 5, tg_buf_span(&out), &read), TG_ERR_CORRUPT);
    row = full(TG_ROW_RESOLVE);
    row.note = tg_span(NULL, 0);
    out = tg_buf(bytes, sizeof(bytes));
    tg_row_write(&out, &row);
    out.len -= 2;
    tg_buf_put_u16(&out, TG_ROW_WORDS_BYTES_MAX + 1);
    memset(bytes + out.len, 'x', TG_ROW_WORDS_BYTES_MAX + 1);
    out.len += TG_ROW_WORDS_BYTES_MAX + 1;
    assert_int_equal(tg_row_read(row.kind, 5, tg_buf_span(&out), &read), TG_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_claim_parts),
                                       cmocka_unit_test(test_one_form)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
