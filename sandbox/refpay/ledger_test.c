/*
 * ledger_test.c - the book and the payments over it, on files in a folder of their own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "payments.h"

struct book {
    char folder[64];
    char path[96];
    struct tg_database database;
    struct tg_ledger ledger;
    struct tg_payments payments;
};

static const struct tg_payments_ask ask = {"r-1", 1000};

static void open_book(struct book *book)
{
    assert_int_equal(tg_database_open(&book->database, book->path), TG_OK);
    tg_ledger_open(&book->ledger, &book->database);
    assert_int_equal(tg_payments_open(&book->payments, &book->database, &book->ledger), TG_OK);
}

static void close_book(struct book *book)
{
    tg_payments_close(&book->payments);
    tg_ledger_close(&book->ledger);
    tg_database_close(&book->database);
}

static int set_up(void **state)
{
    struct book *book = calloc(1, sizeof(*book));
    snprintf(book->folder, sizeof(book->folder), "/tmp/refpay-test-XXXXXX");
    assert_non_null(mkdtemp(book->folder));
    snprintf(book->path, sizeof(book->path), "%s/book", book->folder);
    open_book(book);
    *state = book;
    return 0;
}

static int tear_down(void **state)
{
    struct book *book = *state;
    close_book(book);
    unlink(book->path);
    rmdir(book->folder);
    free(book);
    return 0;
}

static struct tg_payment wish(int64_t amount, bool capture)
{
    return (struct tg_payment){.dialect = TG_DIALECT_GENERIC,
                               .capture = capture,
                               .amount = amount,
                               .created_s = 1000,
                               .currency = "EUR",
                               .payee = "shop",
                               .payer = "ann",
                               .request_id = "r-1"};
}

static int64_t balance(struct book *book, const char *account)
{
    json_t *rows = tg_ledger_balances(&book->ledger), *row;
    size_t i;
    int64_t ret = 0;
    json_array_foreach(rows, i, row)
    {
        if (tg_span_equal(tg_span_string(json_string_value(json_object_get(row, "account"))),
                          tg_span_string(account))) {
            ret = json_integer_value(json_object_get(row, "balance"));
        }
    }
    json_decref(rows);
    return ret;
}

static bool sound(struct book *book)
{
    json_t *counts = tg_payments_counts(&book->payments);
    bool agrees = json_is_true(json_object_get(counts, "agrees"));
    json_decref(counts);
    return agrees && tg_ledger_balanced(&book->ledger);
}

static void posting_must_sum_to_zero(void **state)
{
    struct book *book = *state;
    struct tg_posting posting = {.kind = "capture",
                                 .payment = "p",
                                 .currency = "EUR",
                                 .request_id = "",
                                 .entries = {{"a", -5}, {"b", 4}},
                                 .count = 2};
    assert_int_equal(tg_ledger_post(&book->ledger, &posting), TG_ERR_BUG);
    posting.entries[1].amount = 5;
    posting.count = 1;
    assert_int_equal(tg_ledger_post(&book->ledger, &posting), TG_ERR_BUG);
    posting.count = 2;
    assert_int_equal(tg_ledger_post(&book->ledger, &posting), TG_OK);
    posting.entries[0].amount = INT64_MIN;
    assert_int_equal(tg_ledger_post(&book->ledger, &posting), TG_ERR_LIMIT);
    assert_true(tg_ledger_balanced(&book->ledger));
    assert_int_equal(balance(book, "b"), 5);
}

static void tampering_is_seen(void **state)
{
    struct book *book = *state;
    struct tg_payment payment = wish(1000, true);
    assert_int_equal(tg_payments_create(&book->payments, &payment, true), TG_PAYMENTS_DONE);
    assert_true(sound(book));
    tg_database_run(&book->database, "UPDATE entry SET amount = amount + 1 WHERE posting = 1 AND number = 0");
    assert_false(tg_ledger_balanced(&book->ledger));
    tg_database_run(&book->database, "UPDATE entry SET amount = amount - 1 WHERE posting = 1 AND number = 0");
    tg_database_run(&book->database, "UPDATE payment SET captured = captured - 1");
    assert_false(sound(book));
}

static void captures_in_parts(void **state)
{
    struct book *book = *state;
    struct tg_payment payment = wish(1000, false);
    struct tg_refund refund;
    assert_int_equal(tg_payments_create(&book->payments, &payment, true), TG_PAYMENTS_DONE);
    assert_int_equal(balance(book, "holds"), 1000);
    assert_int_equal(tg_payments_refund(&book->payments, &ask, &payment, 1, &refund), TG_PAYMENTS_STATE);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &payment, 300, false), TG_PAYMENTS_DONE);
    assert_int_equal(payment.status, TG_PAYMENT_AUTHORIZED);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &payment, 701, false), TG_PAYMENTS_AMOUNT);
    assert_int_equal(tg_payments_refund(&book->payments, &ask, &payment, 301, &refund), TG_PAYMENTS_AMOUNT);
    assert_int_equal(tg_payments_refund(&book->payments, &ask, &payment, 100, &refund), TG_PAYMENTS_DONE);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &payment, 0, false), TG_PAYMENTS_DONE);
    assert_int_equal(payment.status, TG_PAYMENT_CAPTURED);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &payment, 0, false), TG_PAYMENTS_STATE);
    assert_int_equal(tg_payments_void(&book->payments, &ask, &payment), TG_PAYMENTS_STATE);
    assert_int_equal(tg_payments_refund(&book->payments, &ask, &payment, 0, &refund), TG_PAYMENTS_DONE);
    assert_int_equal(tg_payments_refund(&book->payments, &ask, &payment, 0, &refund), TG_PAYMENTS_STATE);
    assert_int_equal(balance(book, "holds"), 0);
    assert_int_equal(balance(book, "payer:ann"), 0);
    assert_int_equal(balance(book, "fees"), 10);
    assert_int_equal(balance(book, "payee:shop"), -10);
    assert_true(sound(book));
}

static void void_gives_the_rest_back(void **state)
{
    struct book *book = *state;
    struct tg_payment payment = wish(1000, false);
    assert_int_equal(tg_payments_create(&book->payments, &payment, true), TG_PAYMENTS_DONE);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &payment, 400, false), TG_PAYMENTS_DONE);
    assert_int_equal(tg_payments_void(&book->payments, &ask, &payment), TG_PAYMENTS_DONE);
    assert_int_equal(payment.status, TG_PAYMENT_CAPTURED);
    assert_int_equal(balance(book, "payer:ann"), -400);
    struct tg_payment second = wish(500, false);
    assert_int_equal(tg_payments_create(&book->payments, &second, true), TG_PAYMENTS_DONE);
    assert_int_equal(tg_payments_void(&book->payments, &ask, &second), TG_PAYMENTS_DONE);
    assert_int_equal(second.status, TG_PAYMENT_VOIDED);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &second, 0, false), TG_PAYMENTS_STATE);
    assert_true(sound(book));
}

static void declines_move_nothing(void **state)
{
    struct book *book = *state;
    struct tg_payment payment = wish(1051, true);
    assert_int_equal(tg_payments_create(&book->payments, &payment, true), TG_PAYMENTS_DECLINED);
    assert_int_equal(balance(book, "payer:ann"), 0);
    assert_int_equal(payment.status, TG_PAYMENT_DECLINED);
    assert_true(sound(book));
}

static void one_capture_may_be_the_last(void **state)
{
    struct book *book = *state;
    struct tg_payment payment = wish(1000, false);
    payment.dialect = TG_DIALECT_STRIPE;
    assert_int_equal(tg_payments_create(&book->payments, &payment, false), TG_PAYMENTS_DONE);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &payment, 0, true), TG_PAYMENTS_STATE);
    assert_int_equal(tg_payments_confirm(&book->payments, &ask, &payment), TG_PAYMENTS_DONE);
    assert_int_equal(tg_payments_capture(&book->payments, &ask, &payment, 400, true), TG_PAYMENTS_DONE);
    assert_int_equal(payment.status, TG_PAYMENT_CAPTURED);
    assert_int_equal(balance(book, "payer:ann"), -400);
    assert_true(sound(book));
}

static void count_each(void *context, const struct tg_payment *payment)
{
    (void)payment;
    ++*(int *)context;
}

static void what_is_committed_is_found_again(void **state)
{
    struct book *book = *state;
    struct tg_payment payment = wish(1000, true), found;
    assert_int_equal(tg_payments_create(&book->payments, &payment, true), TG_PAYMENTS_DONE);
    close_book(book);
    open_book(book);
    struct tg_span id = tg_span_string(payment.id);
    assert_int_equal(tg_payments_get(&book->payments, TG_DIALECT_GENERIC, id, &found), TG_PAYMENTS_DONE);
    assert_int_equal(found.captured, 1000);
    assert_string_equal(found.request_id, "r-1");
    assert_int_equal(tg_payments_get(&book->payments, TG_DIALECT_STRIPE, id, &found), TG_PAYMENTS_ABSENT);
    payment.id[6] = payment.id[6] == '0' ? '1' : '0'; /* another ledger's tag */
    assert_int_equal(tg_payments_get(&book->payments, TG_DIALECT_GENERIC, id, &found), TG_PAYMENTS_ABSENT);
    int count = 0;
    assert_false(tg_payments_list(&book->payments, TG_DIALECT_GENERIC, "r-1", 0, 10, count_each, &count));
    assert_false(tg_payments_list(&book->payments, TG_DIALECT_GENERIC, "r-2", 0, 10, count_each, &count));
    assert_int_equal(count, 1);
}

static void a_second_owner_is_kept_out(void **state)
{
    struct book *book = *state;
    struct tg_database second;
    assert_int_not_equal(tg_database_open(&second, book->path), TG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posting_must_sum_to_zero, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tampering_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(captures_in_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(void_gives_the_rest_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(declines_move_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_capture_may_be_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_committed_is_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_owner_is_kept_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
