/*
 * gate_page_test.c - a worker's own words are taken from whole lines only, and their absence is told.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/gate_page.h"

static void test_page(void **state)
{
    (void)state;
    struct tg_gate_said said;
    assert_int_equal(tg_gate_said_parse(TG_SPAN("HTTP/1.1 200 OK\r\n\r\n# TYPE tollgate_gate_guard_landlock_level gauge\n"
                                                "tollgate_gate_guard_landlock_level 7\n"
                                                "tollgate_gate_guard_dumpable 1\nother 3\n"), &said), TG_OK);
    assert_int_equal(said.landlock, 7);
    assert_int_equal(said.dumpable, 1);
}

static void test_no_page(void **state)
{
    (void)state;
    struct tg_gate_said said;
    assert_int_equal(tg_gate_said_parse(tg_span(NULL, 0), &said), TG_ERR_DOWN);
    assert_int_equal(tg_gate_said_parse(TG_SPAN("HTTP/1.1 403 Forbidden\r\n\r\n"), &said), TG_ERR_DOWN);
    assert_int_equal(tg_gate_said_parse(TG_SPAN("tollgate_gate_guard_landlock_level 7"), &said), TG_ERR_DOWN);
    assert_int_equal(tg_gate_said_parse(TG_SPAN("xtollgate_gate_guard_landlock_level 7\ntollgate_gate_guard_dumpable 0\n"),
                                        &said), TG_ERR_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_no_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
