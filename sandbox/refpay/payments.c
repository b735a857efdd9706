/*
 * payments.c - the state machine of a payment, over its row and the ledger.
 *
 * Promises: see payments.h.
 */
#include "payments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "daemon/log.h"

#define TAG_CHARS 8
#define NUMBER_CHARS 12
#define FEE_DIVISOR 100 /* one percent */

enum { ADD, GET, UPDATE, ADD_REFUND, GET_REFUND, ADD_NOTE, LIST, LIST_REQUEST };

#define COLUMNS                                                                                                        \
    "number, dialect, status, capture, amount, captured, refunded, created_s, currency, payee, payer, instrument,"     \
    " reference, request_id, metadata"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS payment (number INTEGER PRIMARY KEY, dialect INTEGER NOT NULL, status INTEGER NOT NULL,"
    " capture INTEGER NOT NULL, amount INTEGER NOT NULL, captured INTEGER NOT NULL, refunded INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL, currency TEXT NOT NULL, payee TEXT NOT NULL, payer TEXT NOT NULL,"
    " instrument TEXT NOT NULL, reference TEXT NOT NULL, request_id TEXT NOT NULL, metadata TEXT NOT NULL,"
    " CHECK (captured <= amount AND refunded <= captured)) STRICT;"
    "CREATE INDEX IF NOT EXISTS payment_request ON payment (request_id);"
    "CREATE TABLE IF NOT EXISTS refund (number INTEGER PRIMARY KEY, payment INTEGER NOT NULL REFERENCES "
    "payment(number),"
    " amount INTEGER NOT NULL, created_s INTEGER NOT NULL, request_id TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS note (number INTEGER PRIMARY KEY, text TEXT NOT NULL, request_id TEXT NOT NULL,"
    " created_s INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;";

static const char *const texts[TG_PAYMENTS_STATEMENTS] = {
    [ADD] = "INSERT INTO payment (dialect, status, capture, amount, captured, refunded, created_s, currency, payee,"
            " payer, instrument, reference, request_id, metadata)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [GET] = "SELECT " COLUMNS " FROM payment WHERE number = ?1",
    [UPDATE] = "UPDATE payment SET status = ?2, captured = ?3, refunded = ?4, instrument = ?5 WHERE number = ?1",
    [ADD_REFUND] = "INSERT INTO refund (payment, amount, created_s, request_id) VALUES (?1, ?2, ?3, ?4)",
    [GET_REFUND] = "SELECT r.amount, r.created_s, r.payment, p.dialect, p.currency FROM refund r JOIN payment p"
                   " ON p.number = r.payment WHERE r.number = ?1",
    [ADD_NOTE] = "INSERT INTO note (text, request_id, created_s) VALUES (?1, ?2, ?3)",
    [LIST] = "SELECT " COLUMNS " FROM payment WHERE number < ?1 ORDER BY number DESC",
    [LIST_REQUEST] = "SELECT " COLUMNS " FROM payment WHERE number < ?1 AND request_id = ?2 ORDER BY number DESC",
};

/* Sixteen letters for a number's hexadecimal digits: zeroes behind a tag must not look like a card number. */
#define NUMBER_LETTERS "ghijkmnpqrstuvwx"

static const char *id_prefix(enum tg_dialect dialect)
{
    return dialect == TG_DIALECT_STRIPE ? "pi_" : "pay_";
}

static void write_id(const struct tg_payments *payments, const char *prefix, int64_t number,
                     char ret[TG_PAYMENTS_ID_BYTES])
{
    int len = snprintf(ret, TG_PAYMENTS_ID_BYTES, "%s%s", prefix, payments->tag);
    for (int i = 0; i < NUMBER_CHARS; i++) {
        ret[len + i] = NUMBER_LETTERS[((uint64_t)number >> (4 * (NUMBER_CHARS - 1 - i))) & 15];
    }
    ret[len + NUMBER_CHARS] = '\0';
}

/* The number in an id that this ledger gave out, or 0. */
static int64_t read_id(const struct tg_payments *payments, const char *prefix, struct tg_span id)
{
    struct tg_span start = tg_span_string(prefix);
    struct tg_span tag = tg_span_string(payments->tag);
    if (id.len != start.len + TAG_CHARS + NUMBER_CHARS || !tg_span_starts(id, start) ||
        !tg_span_starts(tg_span_sub(id, start.len, TAG_CHARS), tag)) {
        return 0;
    }
    int64_t number = 0;
    for (size_t i = start.len + TAG_CHARS; i < id.len; i++) {
        const char *letter = memchr(NUMBER_LETTERS, id.ptr[i], 16);
        if (letter == NULL) {
            return 0;
        }
        number = number * 16 + (letter - NUMBER_LETTERS);
    }
    return number;
}

static enum tg_err read_tag(struct tg_payments *payments)
{
    sqlite3_stmt *read = tg_database_prepare(payments->database, "SELECT value FROM meta WHERE name = 'tag'");
    bool found = tg_database_step(read);
    if (found) {
        tg_database_text(read, 0, payments->tag, sizeof(payments->tag));
    }
    tg_database_finalize(&read);
    if (found) {
        return TG_OK;
    }
    uint8_t bytes[TAG_CHARS / 2];
    enum tg_err err = tg_random(bytes, sizeof(bytes));
    if (err != TG_OK) {
        return err;
    }
    struct tg_buf hex = tg_buf(payments->tag, TAG_CHARS);
    tg_buf_put_hex(&hex, tg_span(bytes, sizeof(bytes)));
    payments->tag[TAG_CHARS] = '\0';
    sqlite3_stmt *write = tg_database_prepare(payments->database, "INSERT INTO meta VALUES ('tag', ?1)");
    tg_database_bind_text(write, 1, payments->tag);
    tg_database_do(write);
    tg_database_finalize(&write);
    return tg_buf_done(&hex);
}

enum tg_err tg_payments_open(struct tg_payments *ret, struct tg_database *database, struct tg_ledger *ledger)
{
    *ret = (struct tg_payments){.database = database, .ledger = ledger};
    tg_database_run(database, schema);
    for (size_t i = 0; i < TG_PAYMENTS_STATEMENTS; i++) {
        ret->statements[i] = tg_database_prepare(database, texts[i]);
    }
    return read_tag(ret);
}

void tg_payments_close(struct tg_payments *payments)
{
    for (size_t i = 0; i < TG_PAYMENTS_STATEMENTS; i++) {
        tg_database_finalize(&payments->statements[i]);
    }
}

static void read_row(const struct tg_payments *payments, sqlite3_stmt *row, struct tg_payment *ret)
{
    *ret = (struct tg_payment){.number = sqlite3_column_int64(row, 0)};
    ret->dialect = (enum tg_dialect)sqlite3_column_int(row, 1);
    ret->status = (enum tg_payment_status)sqlite3_column_int(row, 2);
    ret->capture = sqlite3_column_int(row, 3) != 0;
    ret->amount = sqlite3_column_int64(row, 4);
    ret->captured = sqlite3_column_int64(row, 5);
    ret->refunded = sqlite3_column_int64(row, 6);
    ret->created_s = sqlite3_column_int64(row, 7);
    tg_database_text(row, 8, ret->currency, sizeof(ret->currency));
    tg_database_text(row, 9, ret->payee, sizeof(ret->payee));
    tg_database_text(row, 10, ret->payer, sizeof(ret->payer));
    tg_database_text(row, 11, ret->instrument, sizeof(ret->instrument));
    tg_database_text(row, 12, ret->reference, sizeof(ret->reference));
    tg_database_text(row, 13, ret->request_id, sizeof(ret->request_id));
    tg_database_text(row, 14, ret->metadata, sizeof(ret->metadata));
    write_id(payments, id_prefix(ret->dialect), ret->number, ret->id);
}

static void insert(struct tg_payments *payments, struct tg_payment *payment)
{
    sqlite3_stmt *add = payments->statements[ADD];
    tg_database_begin(payments->database);
    const int64_t numbers[] = {payment->dialect,  payment->status,   payment->capture,  payment->amount,
                               payment->captured, payment->refunded, payment->created_s};
    for (int i = 0; i < 7; i++) {
        tg_database_bind_number(add, i + 1, numbers[i]);
    }
    const char *const words[] = {payment->currency,  payment->payee,      payment->payer,   payment->instrument,
                                 payment->reference, payment->request_id, payment->metadata};
    for (int i = 0; i < 7; i++) {
        tg_database_bind_text(add, i + 8, words[i]);
    }
    tg_database_do(add);
    payment->number = tg_database_last_row(payments->database);
    write_id(payments, id_prefix(payment->dialect), payment->number, payment->id);
}

static void update(struct tg_payments *payments, const struct tg_payment *payment)
{
    sqlite3_stmt *change = payments->statements[UPDATE];
    tg_database_begin(payments->database);
    tg_database_bind_number(change, 1, payment->number);
    tg_database_bind_number(change, 2, payment->status);
    tg_database_bind_number(change, 3, payment->captured);
    tg_database_bind_number(change, 4, payment->refunded);
    tg_database_bind_text(change, 5, payment->instrument);
    tg_database_do(change);
}

static void tell(struct tg_payments *payments, const char *name, const struct tg_payment *payment)
{
    if (payments->event != NULL) {
        payments->event(payments->event_context, name, payment);
    }
}

/* Moves amount from one account to another, less a fee. A posting that the book refuses is a bug: stop. */
static void post(struct tg_payments *payments, const struct tg_payments_ask *ask, const struct tg_payment *payment,
                 const char *kind, const char *from, const char *to, int64_t amount, int64_t fee)
{
    struct tg_posting posting = {.kind = kind,
                                 .payment = payment->id,
                                 .currency = payment->currency,
                                 .request_id = ask->request_id,
                                 .now_s = ask->now_s,
                                 .entries = {{from, -amount}, {to, amount - fee}, {"fees", fee}},
                                 .count = fee > 0 ? 3 : 2};
    if (tg_ledger_post(payments->ledger, &posting) != TG_OK) {
        tg_log_say(TG_LOG_ERROR, "posting_refused", kind);
        abort();
    }
}

static void account(const char *kind, const char *name, char ret[TG_LEDGER_ACCOUNT_BYTES_MAX])
{
    snprintf(ret, TG_LEDGER_ACCOUNT_BYTES_MAX, "%s:%s", kind, name);
}

static bool declined(const struct tg_payment *payment)
{
    return payment->amount % 100 == 51 ||
           tg_span_equal(tg_span_string(payment->instrument), TG_SPAN("pm_card_chargeDeclined"));
}

static void authorize(struct tg_payments *payments, const struct tg_payments_ask *ask, struct tg_payment *payment)
{
    char payer[TG_LEDGER_ACCOUNT_BYTES_MAX];
    account("payer", payment->payer, payer);
    post(payments, ask, payment, "authorize", payer, "holds", payment->amount, 0);
    payment->status = TG_PAYMENT_AUTHORIZED;
}

static void take(struct tg_payments *payments, const struct tg_payments_ask *ask, struct tg_payment *payment,
                 int64_t amount, bool last)
{
    char payee[TG_LEDGER_ACCOUNT_BYTES_MAX];
    account("payee", payment->payee, payee);
    post(payments, ask, payment, "capture", "holds", payee, amount, amount / FEE_DIVISOR);
    payment->captured += amount;
    int64_t held = payment->amount - payment->captured;
    if (last && held > 0) {
        char payer[TG_LEDGER_ACCOUNT_BYTES_MAX];
        account("payer", payment->payer, payer);
        post(payments, ask, payment, "release", "holds", payer, held, 0);
    }
    if (last || held == 0) {
        payment->status = TG_PAYMENT_CAPTURED;
    }
}

enum tg_payments_verdict tg_payments_create(struct tg_payments *payments, struct tg_payment *payment, bool confirm)
{
    payment->status = TG_PAYMENT_OPEN;
    payment->captured = payment->refunded = 0;
    insert(payments, payment);
    tell(payments, "payment.created", payment);
    if (!confirm) {
        return TG_PAYMENTS_DONE;
    }
    struct tg_payments_ask ask = {payment->request_id, payment->created_s};
    return tg_payments_confirm(payments, &ask, payment);
}

enum tg_payments_verdict tg_payments_get(struct tg_payments *payments, enum tg_dialect dialect, struct tg_span id,
                                         struct tg_payment *ret)
{
    int64_t number = read_id(payments, id_prefix(dialect), id);
    sqlite3_stmt *get = payments->statements[GET];
    tg_database_bind_number(get, 1, number);
    if (!tg_database_step(get)) {
        return TG_PAYMENTS_ABSENT;
    }
    read_row(payments, get, ret);
    tg_database_reset(get);
    return ret->dialect == dialect ? TG_PAYMENTS_DONE : TG_PAYMENTS_ABSENT;
}

enum tg_payments_verdict tg_payments_confirm(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                             struct tg_payment *payment)
{
    if (payment->status != TG_PAYMENT_OPEN && payment->status != TG_PAYMENT_DECLINED) {
        return TG_PAYMENTS_STATE;
    }
    if (declined(payment)) {
        payment->status = TG_PAYMENT_DECLINED;
        update(payments, payment);
        return TG_PAYMENTS_DECLINED;
    }
    authorize(payments, ask, payment);
    if (payment->capture) {
        take(payments, ask, payment, payment->amount, true);
    }
    update(payments, payment);
    if (payment->capture) {
        tell(payments, "payment.captured", payment);
    }
    return TG_PAYMENTS_DONE;
}

enum tg_payments_verdict tg_payments_capture(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                             struct tg_payment *payment, int64_t amount, bool last)
{
    if (payment->status != TG_PAYMENT_AUTHORIZED) {
        return TG_PAYMENTS_STATE;
    }
    int64_t held = payment->amount - payment->captured;
    if (amount == 0) {
        amount = held;
    }
    if (amount > held) {
        return TG_PAYMENTS_AMOUNT;
    }
    take(payments, ask, payment, amount, last);
    update(payments, payment);
    tell(payments, "payment.captured", payment);
    return TG_PAYMENTS_DONE;
}

enum tg_payments_verdict tg_payments_refund(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                            struct tg_payment *payment, int64_t amount, struct tg_refund *ret)
{
    int64_t rest = payment->captured - payment->refunded;
    if (rest == 0) {
        return TG_PAYMENTS_STATE;
    }
    if (amount == 0) {
        amount = rest;
    }
    if (amount > rest) {
        return TG_PAYMENTS_AMOUNT;
    }
    char payee[TG_LEDGER_ACCOUNT_BYTES_MAX], payer[TG_LEDGER_ACCOUNT_BYTES_MAX];
    account("payee", payment->payee, payee);
    account("payer", payment->payer, payer);
    post(payments, ask, payment, "refund", payee, payer, amount, 0);
    payment->refunded += amount;
    update(payments, payment);
    sqlite3_stmt *add = payments->statements[ADD_REFUND];
    tg_database_bind_number(add, 1, payment->number);
    tg_database_bind_number(add, 2, amount);
    tg_database_bind_number(add, 3, ask->now_s);
    tg_database_bind_text(add, 4, ask->request_id);
    tg_database_do(add);
    *ret = (struct tg_refund){.amount = amount, .created_s = ask->now_s};
    write_id(payments, "re_", tg_database_last_row(payments->database), ret->id);
    memcpy(ret->payment, payment->id, sizeof(ret->payment));
    memcpy(ret->currency, payment->currency, sizeof(ret->currency));
    tell(payments, "payment.refunded", payment);
    return TG_PAYMENTS_DONE;
}

enum tg_payments_verdict tg_payments_void(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                          struct tg_payment *payment)
{
    if (payment->status == TG_PAYMENT_AUTHORIZED) {
        char payer[TG_LEDGER_ACCOUNT_BYTES_MAX];
        account("payer", payment->payer, payer);
        post(payments, ask, payment, "void", "holds", payer, payment->amount - payment->captured, 0);
    } else if (payment->status != TG_PAYMENT_OPEN && payment->status != TG_PAYMENT_DECLINED) {
        return TG_PAYMENTS_STATE;
    }
    /* What was captured before stays captured and can be refunded. */
    payment->status = payment->captured > 0 ? TG_PAYMENT_CAPTURED : TG_PAYMENT_VOIDED;
    update(payments, payment);
    tell(payments, "payment.voided", payment);
    return TG_PAYMENTS_DONE;
}

enum tg_payments_verdict tg_payments_get_refund(struct tg_payments *payments, struct tg_span id, struct tg_refund *ret)
{
    int64_t number = read_id(payments, "re_", id);
    sqlite3_stmt *get = payments->statements[GET_REFUND];
    tg_database_bind_number(get, 1, number);
    if (!tg_database_step(get)) {
        return TG_PAYMENTS_ABSENT;
    }
    *ret = (struct tg_refund){.amount = sqlite3_column_int64(get, 0), .created_s = sqlite3_column_int64(get, 1)};
    write_id(payments, "re_", number, ret->id);
    write_id(payments, id_prefix((enum tg_dialect)sqlite3_column_int(get, 3)), sqlite3_column_int64(get, 2),
             ret->payment);
    tg_database_text(get, 4, ret->currency, sizeof(ret->currency));
    tg_database_reset(get);
    return TG_PAYMENTS_DONE;
}

bool tg_payments_list(struct tg_payments *payments, int dialect, const char *request_id, int64_t before, int64_t limit,
                      tg_payments_each each, void *context)
{
    bool by_request = request_id[0] != '\0';
    sqlite3_stmt *list = payments->statements[by_request ? LIST_REQUEST : LIST];
    tg_database_bind_number(list, 1, before == 0 ? INT64_MAX : before);
    if (by_request) {
        tg_database_bind_text(list, 2, request_id);
    }
    struct tg_payment payment;
    int64_t given = 0;
    while (tg_database_step(list)) {
        if (dialect >= 0 && sqlite3_column_int(list, 1) != dialect) {
            continue;
        }
        if (given++ == limit) {
            tg_database_reset(list);
            return true;
        }
        read_row(payments, list, &payment);
        each(context, &payment);
    }
    return false;
}

int64_t tg_payments_note(struct tg_payments *payments, const struct tg_payments_ask *ask, const char *text)
{
    sqlite3_stmt *add = payments->statements[ADD_NOTE];
    tg_database_begin(payments->database);
    tg_database_bind_text(add, 1, text);
    tg_database_bind_text(add, 2, ask->request_id);
    tg_database_bind_number(add, 3, ask->now_s);
    tg_database_do(add);
    return tg_database_last_row(payments->database);
}

static json_t *count(struct tg_payments *payments, const char *sql)
{
    return json_integer(tg_database_number(payments->database, sql));
}

json_t *tg_payments_counts(struct tg_payments *payments)
{
    json_t *counts = json_object();
    json_object_set_new(counts, "payments", count(payments, "SELECT count(*) FROM payment"));
    json_object_set_new(counts, "declined", count(payments, "SELECT count(*) FROM payment WHERE status = 4"));
    json_object_set_new(counts, "captures", count(payments, "SELECT count(*) FROM posting WHERE kind = 'capture'"));
    json_object_set_new(counts, "refunds", count(payments, "SELECT count(*) FROM refund"));
    json_object_set_new(counts, "voids", count(payments, "SELECT count(*) FROM posting WHERE kind = 'void'"));
    json_object_set_new(counts, "notes", count(payments, "SELECT count(*) FROM note"));
    /* The rows of payments and the book were written apart; they must tell one story. */
    int64_t held = tg_database_number(payments->database,
                                      "SELECT coalesce(sum(amount - captured), 0) FROM payment WHERE status = 1");
    int64_t captured = tg_database_number(payments->database, "SELECT coalesce(sum(captured), 0) FROM payment");
    int64_t refunded = tg_database_number(payments->database, "SELECT coalesce(sum(refunded), 0) FROM payment");
    bool agrees = held == tg_database_number(payments->database,
                                             "SELECT coalesce(sum(amount), 0) FROM entry WHERE account = 'holds'") &&
                  captured == -tg_database_number(
                                  payments->database,
                                  "SELECT coalesce(sum(e.amount), 0) FROM entry e JOIN posting p ON p.id = e.posting"
                                  " WHERE p.kind = 'capture' AND e.account = 'holds'") &&
                  refunded == tg_database_number(payments->database, "SELECT coalesce(sum(amount), 0) FROM refund");
    json_object_set_new(counts, "agrees", json_boolean(agrees));
    return counts;
}
