/*
 * metrics_test.c - buckets, closed labels, and a text that fits its bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy/reason.h"
#include "keeper/metrics.h"
#include "keeper/stats.h"

static void buckets_double(void **state)
{
    (void)state;
    struct tg_histogram histogram = {.first = 64};
    tg_histogram_add(&histogram, 0);
    tg_histogram_add(&histogram, 64);
    tg_histogram_add(&histogram, 65);
    tg_histogram_add(&histogram, UINT64_C(1) << 40);
    assert_int_equal(histogram.counts[0], 2);
    assert_int_equal(histogram.counts[1], 1);
    assert_int_equal(histogram.counts[TG_METRICS_BUCKETS], 1);
}

static void the_text_fits_and_names_reasons(void **state)
{
    (void)state;
    static uint8_t text[TG_STATS_BYTES_MAX + 1];
    static struct tg_metrics metrics;
    const struct tg_metrics_now now = {.pending = UINT64_C(1) << 62, .sealer_up = true};
    tg_metrics_start(&metrics);
    for (uint16_t code = 0; code < TG_METRICS_REASONS_MAX; code++) {
        tg_metrics_refusal(&metrics, code);
        metrics.reasons[code] <<= 62;
    }
    tg_metrics_refusal(&metrics, UINT16_MAX);
    struct tg_buf out = tg_buf(text, TG_STATS_BYTES_MAX);
    tg_metrics_write(&out, &metrics, &now);
    assert_int_equal(tg_buf_done(&out), TG_OK);
    assert_non_null(strstr((const char *)text, "tollgate_keeper_refusals_total{reason=\"key_reused\"}"));
    assert_non_null(strstr((const char *)text, "tollgate_keeper_sealer_up 1\n"));
    assert_non_null(strstr((const char *)text, "tollgate_keeper_commit_microseconds_bucket{le=\"+Inf\"} 0\n"));
    assert_null(strstr((const char *)text, "store_bytes")); /* not known is not 0 */
    const struct tg_metrics_now known = {.store = {.bytes = 8192}};
    out = tg_buf(text, TG_STATS_BYTES_MAX);
    tg_metrics_write(&out, &metrics, &known);
    assert_int_equal(tg_buf_done(&out), TG_OK);
    assert_non_null(strstr((const char *)text, "tollgate_keeper_store_bytes 8192\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_double),
        cmocka_unit_test(the_text_fits_and_names_reasons),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
