/* profile_test.c - a profile's own members, and what is refused in them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/payment/profile_sample.h"

static struct tg_profile_error why;

static void a_small_profile_has_safe_defaults(void **state)
{
    (void)state;
    const struct tg_profile *profile = profile_sample(PROFILE_SAMPLE_OPERATION, "", &why);
    assert_non_null(profile);
    assert_true(tg_span_equal(profile->name, TG_SPAN("sample")));
    assert_true(tg_span_equal(profile->idempotency_field, TG_SPAN("idempotency-key")));
    assert_int_equal(profile->idempotency_key_bytes_max, 255);
    assert_int_equal(profile->ttl_s, 86400);
    assert_false(profile->upstream_idempotent);
    assert_false(profile->card_numbers_allowed);
    assert_false(profile->currency_any_case);
    assert_int_equal(profile->problem_shape, TG_PROBLEM_PLAIN);
    assert_int_equal(profile->bound_field_count, 0);
    assert_int_equal(profile->probe_operation.len, 0);
    assert_int_equal(profile->operation_count, 1);
}

static void members_are_taken(void **state)
{
    (void)state;
    const struct tg_profile *profile = profile_sample(
        PROFILE_SAMPLE_OPERATION ",{\"name\":\"list\",\"method\":\"GET\",\"path\":\"/v1/pay\",\"body\":\"none\"}",
        ",\"description\":\"x\",\"card_numbers_allowed\":true,\"currency_case\":\"any\",\"problem_shape\":\"stripe\","
        "\"bound_fields\":[\"stripe-version\",\"x-a\"],\"probe\":{\"operation\":\"list\",\"query\":\"request_id\"}",
        &why);
    assert_non_null(profile);
    assert_true(profile->card_numbers_allowed);
    assert_true(profile->currency_any_case);
    assert_int_equal(profile->problem_shape, TG_PROBLEM_STRIPE);
    assert_int_equal(profile->bound_field_count, 2);
    assert_true(tg_span_equal(profile->bound_fields[1], TG_SPAN("x-a")));
    assert_true(tg_span_equal(profile->probe_operation, TG_SPAN("list")));
    assert_true(tg_span_equal(profile->probe_query, TG_SPAN("request_id")));
}

static void bad_members_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *members, *place;
    } rows[] = {
        {",\"colour\":1", "/colour: "},
        {",\"description\":1", "/description: "},
        {",\"card_numbers_allowed\":1", "/card_numbers_allowed: "},
        {",\"card_numbers_allowed\":\"true\"", "/card_numbers_allowed: "},
        {",\"currency_case\":\"lower\"", "/currency_case: "},
        {",\"problem_shape\":\"xml\"", "/problem_shape: "},
        {",\"problem_shape\":null", "/problem_shape: "},
        {",\"bound_fields\":\"a\"", "/bound_fields: "},
        {",\"bound_fields\":[\"A\"]", "/bound_fields/0: "},
        {",\"bound_fields\":[\"a\",\"a\"]", "/bound_fields/1: "},
        {",\"bound_fields\":[\"a b\"]", "/bound_fields/0: "},
        {",\"bound_fields\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]", "/bound_fields: "},
        {",\"probe\":{\"operation\":\"pay\",\"query\":\"q\"}", "/probe: "},
        {",\"probe\":{\"operation\":\"none\",\"query\":\"q\"}", "/probe: "},
        {",\"probe\":{\"operation\":\"pay\"}", "/probe: "},
        {",\"probe\":{\"operation\":\"pay\",\"query\":\"q=1&a\"}", "/probe: "},
        {",\"probe\":{\"operation\":\"pay\",\"query\":\"q\",\"x\":1}", "/probe/x: "},
        {",\"name\":\"again\"", "/name: is there twice"},
        {",", "is not valid JSON"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(profile_sample(PROFILE_SAMPLE_OPERATION, rows[i].members, &why));
        assert_memory_equal(why.text, rows[i].place, strlen(rows[i].place));
    }
}

static void bad_heads_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "null",
        "{}",
        "{\"name\":\"x\"",
        "{\"name\":\"x\"}",
        "{\"name\":\"X\",\"credential_field\":\"a\"," PROFILE_SAMPLE_IDEMPOTENCY
        ",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}",
        "{\"name\":\"a b\",\"credential_field\":\"a\"," PROFILE_SAMPLE_IDEMPOTENCY
        ",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}",
        "{\"name\":\"\",\"credential_field\":\"a\"," PROFILE_SAMPLE_IDEMPOTENCY
        ",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}",
        "{\"name\":\"x\",\"credential_field\":\"A\"," PROFILE_SAMPLE_IDEMPOTENCY
        ",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}",
        "{\"name\":\"x\"," PROFILE_SAMPLE_IDEMPOTENCY ",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}",
        "{\"name\":\"x\",\"credential_field\":\"a\",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}",
        "{\"name\":\"x\",\"credential_field\":\"a\"," PROFILE_SAMPLE_IDEMPOTENCY ",\"operations\":[]}",
        "{\"name\":\"x\",\"credential_field\":\"a\"," PROFILE_SAMPLE_IDEMPOTENCY ",\"operations\":{}}",
        "{\"name\":\"x\",\"credential_field\":\"a\"," PROFILE_SAMPLE_IDEMPOTENCY "}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_null(profile_sample_text(texts[i], &why));
        assert_true(why.text[0] != '\0');
    }
}

static void idempotency_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *idempotency;
        bool ok;
    } rows[] = {
        {"{\"field\":\"k\",\"key_bytes_max\":1,\"ttl_s\":60}", true},
        {"{\"field\":\"k\",\"key_bytes_max\":255,\"ttl_s\":2678400,\"upstream_idempotent\":true}", true},
        {"{\"field\":\"k\",\"key_bytes_max\":0,\"ttl_s\":60}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":256,\"ttl_s\":60}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":1e2,\"ttl_s\":60}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":\"64\",\"ttl_s\":60}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":64,\"ttl_s\":59}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":64,\"ttl_s\":2678401}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":64,\"ttl_s\":4294967356}", false},
        {"{\"field\":\"K\",\"key_bytes_max\":64,\"ttl_s\":60}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":64}", false},
        {"{\"field\":\"k\",\"key_bytes_max\":64,\"ttl_s\":60,\"ttl\":1}", false},
        {"[]", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[2048];
        struct tg_buf out = tg_buf(text, sizeof text - 1);
        tg_buf_put_string(&out, "{\"name\":\"x\",\"credential_field\":\"a\",\"idempotency\":");
        tg_buf_put_string(&out, rows[i].idempotency);
        tg_buf_put_string(&out, ",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}");
        text[out.len] = '\0';
        assert_int_equal(profile_sample_text(text, &why) != NULL, rows[i].ok);
    }
}

static void syntax_errors_have_an_offset(void **state)
{
    (void)state;
    assert_null(profile_sample_text("{\"name\":nope}", &why));
    assert_int_equal(why.offset, 8);
    assert_string_equal(why.text, "/name: is not valid JSON");
}

static void the_arena_bound_is_enough(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":\"x\",\"credential_field\":\"a\"," PROFILE_SAMPLE_IDEMPOTENCY
                               ",\"operations\":[" PROFILE_SAMPLE_OPERATION "]}";
    size_t size = tg_profile_arena_size(sizeof text - 1);
    uint8_t *block = malloc(size);
    const struct tg_profile *profile = NULL;
    struct tg_arena arena = tg_arena(block, size);
    assert_int_equal(tg_profile_parse(tg_span(text, sizeof text - 1), &arena, &profile, &why), TG_OK);
    arena = tg_arena(block, 100);
    assert_int_equal(tg_profile_parse(tg_span(text, sizeof text - 1), &arena, &profile, &why), TG_ERR_ROOM);
    assert_null(profile);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_profile_has_safe_defaults),
        cmocka_unit_test(members_are_taken),
        cmocka_unit_test(bad_members_are_refused_with_their_place),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(idempotency_is_bounded),
        cmocka_unit_test(syntax_errors_have_an_offset),
        cmocka_unit_test(the_arena_bound_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
