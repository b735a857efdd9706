/* profile_operation_test.c - operations that are taken, and those that contradict themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/payment/profile_sample.h"
#include "wire/message.h"

static struct tg_profile_error why;

#define HEAD "\"name\":\"a\",\"method\":\"POST\",\"path\":\"/a\""

static void members_are_taken(void **state)
{
    (void)state;
    const struct tg_profile *profile =
        profile_sample("{" HEAD ",\"body\":\"form\",\"body_optional\":true,\"idempotency\":\"optional\",\"amount\":{"
                                "\"at\":\"/a/b\",\"kind\":\"decimal\"},"
                       "\"currency\":\"/c\",\"payee\":\"/d\",\"payer\":\"/e\",\"instrument\":\"/f~1g\"}",
                       "", &why);
    assert_non_null(profile);
    const struct tg_operation *operation = &profile->operations[0];
    assert_int_equal(operation->body, TG_BODY_FORM);
    assert_true(operation->body_optional);
    assert_false(operation->money_moving);
    assert_false(operation->amount_required);
    assert_int_equal(operation->idempotency, TG_IDEMPOTENCY_OPTIONAL);
    assert_int_equal(operation->amount_kind, TG_AMOUNT_DECIMAL);
    assert_true(tg_span_equal(operation->amount, TG_SPAN("/a/b")));
    assert_true(tg_span_equal(operation->instrument, TG_SPAN("/f~1g")));
    profile = profile_sample("{" HEAD ",\"body\":\"none\"}", "", &why);
    assert_int_equal(profile->operations[0].idempotency, TG_IDEMPOTENCY_NONE);
    profile = profile_sample(PROFILE_SAMPLE_OPERATION, "", &why);
    assert_int_equal(profile->operations[0].idempotency, TG_IDEMPOTENCY_REQUIRED);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "1",
        "{}",
        "{" HEAD "}",
        "{" HEAD ",\"body\":\"xml\"}",
        "{" HEAD ",\"body\":1}",
        "{" HEAD ",\"body\":\"json\",\"x\":1}",
        "{" HEAD ",\"body\":\"json\",\"idempotency\":\"yes\"}",
        "{" HEAD ",\"body\":\"json\",\"money_moving\":1}",
        "{\"name\":\"A\",\"method\":\"POST\",\"path\":\"/a\",\"body\":\"json\"}",
        "{\"name\":\"*\",\"method\":\"POST\",\"path\":\"/a\",\"body\":\"json\"}",
        "{\"name\":\"a\",\"method\":\"post\",\"path\":\"/a\",\"body\":\"json\"}",
        "{\"name\":\"a\",\"method\":\"\",\"path\":\"/a\",\"body\":\"json\"}",
        "{\"name\":\"a\",\"method\":\"POST\",\"path\":\"a\",\"body\":\"json\"}",
        "{\"name\":\"a\",\"method\":\"POST\",\"path\":\"/a/\",\"body\":\"json\"}",
        "{\"name\":\"a\",\"method\":\"POST\",\"path\":\"/a/{\",\"body\":\"json\"}",
        "{\"method\":\"POST\",\"path\":\"/a\",\"body\":\"json\"}",
        "{" HEAD ",\"body\":\"json\",\"payee\":\"payee\"}",
        "{" HEAD ",\"body\":\"json\",\"payee\":\"\"}",
        "{" HEAD ",\"body\":\"json\",\"payee\":\"/~2\"}",
        "{" HEAD ",\"body\":\"json\",\"payee\":null}",
        "{" HEAD ",\"body\":\"json\",\"amount\":\"/amount\"}",
        "{" HEAD ",\"body\":\"json\",\"amount\":{\"at\":\"/a\"}}",
        "{" HEAD ",\"body\":\"json\",\"amount\":{\"kind\":\"minor\"}}",
        "{" HEAD ",\"body\":\"json\",\"amount\":{\"at\":\"/a\",\"kind\":\"float\"}}",
        "{" HEAD ",\"body\":\"json\",\"amount\":{\"at\":\"/a\",\"kind\":\"minor\",\"x\":1}}",
        "{" HEAD ",\"body\":\"json\",\"amount\":{\"at\":\"/a\",\"kind\":\"decimal\"}}",
        "{" HEAD ",\"body\":\"none\",\"payee\":\"/a\"}",
        "{" HEAD ",\"body\":\"none\",\"amount\":{\"at\":\"/a\",\"kind\":\"minor\"}}",
        "{" HEAD ",\"body\":\"none\",\"body_optional\":true}",
        "{" HEAD
        ",\"body\":\"json\",\"body_optional\":true,\"amount\":{\"at\":\"/a\",\"kind\":\"minor\",\"required\":true}}",
        "{" HEAD ",\"body\":\"json\"},{" HEAD ",\"body\":\"json\"}",
        "{" HEAD ",\"body\":\"json\"},{\"name\":\"b\",\"method\":\"POST\",\"path\":\"/a\",\"body\":\"json\"}",
        "{\"name\":\"a\",\"method\":\"GET\",\"path\":\"/a/"
        "{x}\",\"body\":\"none\"},{\"name\":\"b\",\"method\":\"GET\",\"path\":\"/a/{y}\",\"body\":\"none\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(profile_sample(bad[i], "", &why));
        assert_memory_equal(why.text, "/operations/", 12);
    }
}

static void operations_are_bounded(void **state)
{
    (void)state;
    static char text[16384];
    for (size_t count = TG_OPERATIONS_MAX; count <= TG_OPERATIONS_MAX + 1; count++) {
        struct tg_buf out = tg_buf(text, sizeof text - 1);
        for (size_t i = 0; i < count; i++) {
            tg_buf_put_string(&out, i == 0 ? "{\"name\":\"o" : ",{\"name\":\"o");
            tg_buf_put_decimal(&out, (int64_t)i);
            tg_buf_put_string(&out, "\",\"method\":\"GET\",\"body\":\"none\",\"path\":\"/o");
            tg_buf_put_decimal(&out, (int64_t)i);
            tg_buf_put_string(&out, "\"}");
        }
        text[out.len] = '\0';
        assert_int_equal(profile_sample(text, "", &why) != NULL, count == TG_OPERATIONS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_taken),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(operations_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
