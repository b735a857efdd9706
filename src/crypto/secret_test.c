/*
 * secret_test.c - pages of their own, and what a freed or refused one looks like.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"

static void test_life(void **state)
{
    (void)state;
    struct tg_secret secret;
    enum tg_secret_kind kind = 0;
    assert_int_equal(tg_secret_make(&secret, 100, &kind), TG_OK);
    assert_in_range(kind, TG_SECRET_MEMFD, TG_SECRET_UNLOCKED);
    assert_int_equal(secret.cap, 100);
    assert_int_equal(secret.len, 0);
    assert_int_equal(secret.pages, sysconf(_SC_PAGESIZE));
    assert_int_equal((uintptr_t)secret.ptr % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
    memset(secret.ptr, 0x5a, secret.pages);
    tg_secret_free(&secret);
    assert_null(secret.ptr);
    tg_secret_free(&secret);
}

static void test_refused(void **state)
{
    (void)state;
    struct tg_secret secret;
    enum tg_secret_kind kind = 0;
    assert_int_equal(tg_secret_make(&secret, 0, &kind), TG_ERR_LIMIT);
    assert_int_equal(tg_secret_make(&secret, SIZE_MAX, &kind), TG_ERR_LIMIT);
    assert_null(secret.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
