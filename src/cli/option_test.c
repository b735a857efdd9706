/*
 * option_test.c - command lines, right and wrong.
 */
#include "cli/option.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct tg_option table[] = {
    {"json", 'j', TG_OPTION_FLAG, NULL, "h"},
    {"from", 0, TG_OPTION_TEXT, "N", "h"},
    {"name", 0, TG_OPTION_MANY, "HOST", "h"},
    {NULL, 0, 0, NULL, NULL},
};

#define PARSE(ret, ...)                                                                                               \
    parse((ret), (char *[]){__VA_ARGS__}, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)))

static enum tg_err parse(struct tg_arguments *ret, char **argv, int argc)
{
    return tg_arguments_parse(table, argc, argv, ret);
}

static void test_values(void **state)
{
    struct tg_arguments arguments;
    int64_t from = 0;

    (void)state;
    assert_int_equal(PARSE(&arguments, "one", "--from=12", "-j", "--name", "a", "two", "--name=b"), TG_OK);
    assert_true(tg_arguments_flag(&arguments, "json"));
    assert_string_equal(tg_arguments_text(&arguments, "from"), "12");
    assert_int_equal(tg_arguments_number(&arguments, "from", 0, 20, &from), TG_OK);
    assert_int_equal(from, 12);
    assert_int_equal(tg_arguments_many(&arguments, "name")->count, 2);
    assert_string_equal(tg_arguments_many(&arguments, "name")->values[1], "b");
    assert_string_equal(tg_arguments_word(&arguments, 1), "two");
    assert_null(tg_arguments_word(&arguments, 2));
    assert_null(tg_arguments_text(&arguments, "nothing"));
    assert_string_equal(tg_arguments_text_or(&arguments, "nothing", "x"), "x");
}

static void test_end_of_options(void **state)
{
    struct tg_arguments arguments;

    (void)state;
    assert_int_equal(PARSE(&arguments, "--", "--json", "-"), TG_OK);
    assert_false(tg_arguments_flag(&arguments, "json"));
    assert_string_equal(tg_arguments_word(&arguments, 0), "--json");
    assert_string_equal(tg_arguments_word(&arguments, 1), "-");
}

static void test_wrong(void **state)
{
    struct tg_arguments arguments;

    (void)state;
    assert_int_equal(PARSE(&arguments, "--jso"), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "--json=1"), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "--json", "-j"), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "--from"), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "-x"), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "-jj"), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "--from", "1", "--from", "2"), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "1", "2", "3", "4", "5"), TG_ERR_INPUT);
    assert_string_not_equal(arguments.why, "");
}

static void test_numbers(void **state)
{
    struct tg_arguments arguments;
    int64_t number = 7;

    (void)state;
    assert_int_equal(tg_number_parse("-12", &number), TG_OK);
    assert_int_equal(number, -12);
    assert_int_equal(tg_number_parse("9223372036854775807", &number), TG_OK);
    assert_int_equal(tg_number_parse("9223372036854775808", &number), TG_ERR_LIMIT);
    assert_int_equal(tg_number_parse("", &number), TG_ERR_INPUT);
    assert_int_equal(tg_number_parse("-", &number), TG_ERR_INPUT);
    assert_int_equal(tg_number_parse("1e2", &number), TG_ERR_INPUT);
    assert_int_equal(tg_number_parse(" 1", &number), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "--from", "21"), TG_OK);
    assert_int_equal(tg_arguments_number(&arguments, "from", 0, 20, &number), TG_ERR_INPUT);
    assert_int_equal(PARSE(&arguments, "word"), TG_OK);
    number = 7;
    assert_int_equal(tg_arguments_number(&arguments, "from", 0, 20, &number), TG_OK);
    assert_int_equal(number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_end_of_options),
                                       cmocka_unit_test(test_wrong), cmocka_unit_test(test_numbers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
