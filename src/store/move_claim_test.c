/* move_claim_test.c - every living claim of a folder is shown once, through segments and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/move_claim.h"
#include "store/testkit.h"

struct seen {
    unsigned finals, unknowns;
};

static enum tg_err see(void *user, const struct tg_move_claim *claim)
{
    struct seen *seen = user;
    assert_int_equal(claim->admit.kind, TG_ROW_ADMIT);
    assert_int_not_equal(claim->admit.ticket, 0);
    if (claim->state == TG_CLAIM_STATE_FINAL) {
        assert_true(tg_span_equal(claim->sealed, TG_SPAN("answer")));
        seen->finals++;
    } else {
        seen->unknowns++;
    }
    return TG_OK;
}

static void test_once(void **state)
{
    struct kit *kit = *state;
    struct seen seen = {0, 0};
    if (kit_skip(kit))
        return;
    kit_fill(kit);
    kit_reopen(kit);
    assert_int_equal(tg_move_claims(kit->store, kit->now_us, see, &seen), TG_OK);
    assert_int_equal(seen.finals, 50);
    assert_int_equal(seen.unknowns, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_once, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
