/* postgres_statement_test.c - every statement has a text, and none needs code on the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/postgres.h"
#include "store/postgres_statement.h"
#include "store/testkit.h"

static void test_texts(void **state)
{
    (void)state;
    for (int i = 0; i < TG_PG_STATEMENTS; i++) {
        const char *text = tg_pg_statement_text((enum tg_pg_statement)i);
        assert_non_null(text);
        assert_null(strstr(text, "CREATE"));
        assert_null(strstr(text, "CALL"));
        assert_null(strstr(text, "$17")); /* TG_PG_PARAMETERS_MAX */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
