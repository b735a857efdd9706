/* profile_status_test.c - the default map, Stripe's, and maps that are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/payment/profile_sample.h"

static struct tg_profile_error why;

static const struct tg_profile *with_status(const char *status)
{
    char members[512];
    struct tg_buf out = tg_buf(members, sizeof members - 1);
    tg_buf_put_string(&out, ",\"status\":");
    tg_buf_put_string(&out, status);
    members[out.len] = '\0';
    return profile_sample(PROFILE_SAMPLE_OPERATION, members, &why);
}

static uint8_t by_default(unsigned status)
{
    if (status / 100 == 2 || status == 400 || status == 402 || status == 404 || status == 422) {
        return TG_STATUS_FINAL;
    }
    bool refused = status == 401 || status == 403 || status == 409 || status == 429;
    return refused ? TG_STATUS_NOT_EXECUTED : TG_STATUS_UNKNOWN;
}

static void everything_else_is_unknown(void **state)
{
    (void)state;
    const struct tg_profile *profiles[] = {profile_sample(PROFILE_SAMPLE_OPERATION, "", &why), NULL};
    for (unsigned status = 0; status < 600; status++) {
        assert_int_equal(profiles[0]->status_meaning[status], by_default(status));
    }
    profiles[1] =
        with_status("{\"final\":[\"2xx\",400,402,404,422],\"not_executed\":[401,403,409,429],\"unknown\":[\"5xx\"]}");
    for (unsigned status = 0; status < 600; status++) {
        assert_int_equal(profiles[1]->status_meaning[status], by_default(status));
    }
}

static void a_status_says_more_than_its_class(void **state)
{
    (void)state;
    const struct tg_profile *profile = with_status("{\"unknown\":[\"5xx\",\"4xx\"],\"final\":[500,418]}");
    assert_non_null(profile);
    assert_int_equal(profile->status_meaning[500], TG_STATUS_FINAL);
    assert_int_equal(profile->status_meaning[501], TG_STATUS_UNKNOWN);
    assert_int_equal(profile->status_meaning[418], TG_STATUS_FINAL);
    assert_int_equal(profile->status_meaning[401], TG_STATUS_UNKNOWN);
    assert_int_equal(profile->status_meaning[404], TG_STATUS_UNKNOWN);
    assert_int_equal(profile->status_meaning[200], TG_STATUS_FINAL);
}

static void bad_maps_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"[]",
                                      "null",
                                      "{\"finally\":[]}",
                                      "{\"final\":200}",
                                      "{\"final\":[\"200\"]}",
                                      "{\"final\":[99]}",
                                      "{\"final\":[600]}",
                                      "{\"final\":[\"6xx\"]}",
                                      "{\"final\":[\"0xx\"]}",
                                      "{\"final\":[\"2XX\"]}",
                                      "{\"final\":[\"2x\"]}",
                                      "{\"final\":[-200]}",
                                      "{\"final\":[2e2]}",
                                      "{\"final\":[200.0]}",
                                      "{\"final\":[404,404]}",
                                      "{\"final\":[404],\"unknown\":[404]}",
                                      "{\"final\":[\"4xx\"],\"unknown\":[\"4xx\"]}",
                                      "{\"not_executed\":[\"2xx\"]}",
                                      "{\"not_executed\":[201]}",
                                      "{\"final\":[null]}",
                                      "{\"final\":[[]]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(with_status(bad[i]));
    }
    assert_non_null(with_status("{}"));
    assert_non_null(with_status("{\"not_executed\":[503]}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_else_is_unknown),
        cmocka_unit_test(a_status_says_more_than_its_class),
        cmocka_unit_test(bad_maps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
