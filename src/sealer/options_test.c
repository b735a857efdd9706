/*
 * options_test.c - what must be given, what must not be given twice.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"
#include "sealer/options.h"

#define WORDS(...) ((char *const[]){"tollgate-sealer", __VA_ARGS__, NULL})

static enum tg_err read_words(char *const *words, struct tg_sealer_options *options)
{
    int count = 0;
    while (words[count] != NULL) {
        count++;
    }
    return tg_sealer_options_read(count, words, options);
}

static void test_whole(void **state)
{
    (void)state;
    struct tg_sealer_options options;
    assert_int_equal(read_words(WORDS("--keys", "k", "--socket", "s", "--keeper-uid", "107", "--user", "u", "--log",
                                      "l", "--pid", "p"),
                                &options),
                     TG_OK);
    assert_string_equal(options.keys, "k");
    assert_string_equal(options.socket, "s");
    assert_int_equal(options.keeper_uid, 107);
    assert_string_equal(options.user, "u");
    assert_string_equal(options.log, "l");
    assert_string_equal(options.pid, "p");
    assert_false(options.make_keys);
    assert_int_equal(read_words(WORDS("--make-keys", "--keys", "k"), &options), TG_OK);
    assert_true(options.make_keys);
    assert_int_equal(read_words(WORDS("--help"), &options), TG_OK);
    assert_true(options.help);
}

static void test_refused(void **state)
{
    (void)state;
    struct tg_sealer_options options;
    assert_int_equal(read_words(WORDS("--make-keys"), &options), TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys", "k"), &options), TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys", "k", "--socket", "s"), &options), TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys", "k", "--keys", "k"), &options), TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys"), &options), TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys", ""), &options), TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("keys"), &options), TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys", "k", "--socket", "s", "--keeper-uid", "4294967295"), &options),
                     TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys", "k", "--socket", "s", "--keeper-uid", "no such user"), &options),
                     TG_ERR_INPUT);
    assert_int_equal(read_words(WORDS("--keys", "k", "--socket", "s", "--keeper-uid", "root"), &options), TG_OK);
    assert_int_equal(options.keeper_uid, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
