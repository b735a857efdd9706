/*
 * options_test.c - the command line: whole, or refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/options.h"

#define NEEDED "keeper", "--store", "s", "--gate-socket", "g", "--admin-socket", "a", "--sealer-socket", "k"

static enum tg_err run(char *const *argv, struct tg_keeper_options *options)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    return tg_options_read(argc, argv, options);
}

static void all_is_read(void **state)
{
    (void)state;
    struct tg_keeper_options options;
    char *argv[] = {NEEDED, "--gate-uid", "33", "--segment-rows", "1000", NULL};
    assert_int_equal(run(argv, &options), TG_OK);
    assert_string_equal(options.sealer_socket, "k");
    assert_int_equal(options.gate_uid, 33);
    assert_int_equal(options.segment_rows, 1000);
    assert_null(options.user);
    char *server[] = {"keeper", "--store-postgres-file", "f", "--gate-socket", "g", "--admin-socket", "a",
                      "--sealer-socket", "k", NULL};
    assert_int_equal(run(server, &options), TG_OK);
    assert_null(options.store);
    assert_string_equal(options.store_postgres_file, "f");
}

static void the_rest_is_refused(void **state)
{
    (void)state;
    struct tg_keeper_options options;
    char *missing[] = {"keeper", "--store", "s", NULL};
    char *unknown[] = {NEEDED, "--colour", "red", NULL};
    char *twice[] = {NEEDED, "--store", "t", NULL};
    char *half[] = {NEEDED, "--log", NULL};
    char *number[] = {NEEDED, "--gate-uid", "-1", NULL};
    char *empty[] = {NEEDED, "--log", "", NULL};
    char *both[] = {NEEDED, "--store-postgres-file", "f", NULL};
    char *neither[] = {"keeper", "--gate-socket", "g", "--admin-socket", "a", "--sealer-socket", "k", NULL};
    char *const *all[] = {missing, unknown, twice, half, number, empty, both, neither};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(run(all[i], &options), TG_ERR_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_is_read), cmocka_unit_test(the_rest_is_refused)};
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
