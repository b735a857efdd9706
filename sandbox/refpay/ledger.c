/*
 * ledger.c - the book in two tables: posting (what and why) and entry (who and how much).
 *
 * Promises: see ledger.h.
 */
#include "ledger.h"

#include <string.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS posting (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, payment TEXT NOT NULL,"
    " currency TEXT NOT NULL, request_id TEXT NOT NULL, time_s INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS entry (posting INTEGER NOT NULL REFERENCES posting(id), number INTEGER NOT NULL,"
    " account TEXT NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (posting, number)) STRICT, WITHOUT ROWID;";

void tg_ledger_open(struct tg_ledger *ret, struct tg_database *database)
{
    tg_database_run(database, schema);
    ret->database = database;
    ret->add_posting = tg_database_prepare(
        database, "INSERT INTO posting (kind, payment, currency, request_id, time_s) VALUES (?1, ?2, ?3, ?4, ?5)");
    ret->add_entry =
        tg_database_prepare(database, "INSERT INTO entry (posting, number, account, amount) VALUES (?1, ?2, ?3, ?4)");
}

void tg_ledger_close(struct tg_ledger *ledger)
{
    tg_database_finalize(&ledger->add_posting);
    tg_database_finalize(&ledger->add_entry);
}

enum tg_err tg_ledger_post(struct tg_ledger *ledger, const struct tg_posting *posting)
{
    int64_t sum = 0;
    if (posting->count < 2 || posting->count > TG_LEDGER_ENTRIES_MAX) {
        return TG_ERR_BUG;
    }
    for (size_t i = 0; i < posting->count; i++) {
        int64_t amount = posting->entries[i].amount;
        if (amount > TG_LEDGER_AMOUNT_MAX || amount < -TG_LEDGER_AMOUNT_MAX) {
            return TG_ERR_LIMIT;
        }
        sum += amount;
    }
    if (sum != 0) {
        return TG_ERR_BUG;
    }
    tg_database_begin(ledger->database);
    sqlite3_stmt *add = ledger->add_posting;
    tg_database_bind_text(add, 1, posting->kind);
    tg_database_bind_text(add, 2, posting->payment);
    tg_database_bind_text(add, 3, posting->currency);
    tg_database_bind_text(add, 4, posting->request_id);
    tg_database_bind_number(add, 5, posting->now_s);
    tg_database_do(add);
    int64_t id = tg_database_last_row(ledger->database);
    for (size_t i = 0; i < posting->count; i++) {
        add = ledger->add_entry;
        tg_database_bind_number(add, 1, id);
        tg_database_bind_number(add, 2, (int64_t)i);
        tg_database_bind_text(add, 3, posting->entries[i].account);
        tg_database_bind_number(add, 4, posting->entries[i].amount);
        tg_database_do(add);
    }
    return TG_OK;
}

bool tg_ledger_balanced(struct tg_ledger *ledger)
{
    /* A posting without entries, or entries without a posting, is as wrong as a sum that is not zero. */
    return tg_database_number(
               ledger->database,
               "SELECT (SELECT count(*) FROM (SELECT 1 FROM entry GROUP BY posting HAVING sum(amount) <> 0))"
               " + (SELECT count(*) FROM posting WHERE id NOT IN (SELECT posting FROM entry))"
               " + (SELECT count(*) FROM entry WHERE posting NOT IN (SELECT id FROM posting))") == 0;
}

json_t *tg_ledger_balances(struct tg_ledger *ledger)
{
    json_t *rows = json_array();
    sqlite3_stmt *read = tg_database_prepare(
        ledger->database, "SELECT e.account, p.currency, sum(e.amount) FROM entry e JOIN posting p ON p.id = e.posting"
                          " GROUP BY e.account, p.currency ORDER BY e.account, p.currency");
    while (tg_database_step(read)) {
        json_array_append_new(rows, json_pack("{s:s, s:s, s:I}", "account", sqlite3_column_text(read, 0), "currency",
                                              sqlite3_column_text(read, 1), "balance",
                                              (json_int_t)sqlite3_column_int64(read, 2)));
    }
    tg_database_finalize(&read);
    return rows;
}

static json_t *entries_of(sqlite3_stmt *read, int64_t posting)
{
    json_t *rows = json_array();
    tg_database_bind_number(read, 1, posting);
    while (tg_database_step(read)) {
        json_array_append_new(rows, json_pack("{s:s, s:I}", "account", sqlite3_column_text(read, 0), "amount",
                                              (json_int_t)sqlite3_column_int64(read, 1)));
    }
    return rows;
}

json_t *tg_ledger_postings(struct tg_ledger *ledger, int64_t after, int64_t limit, int64_t *next)
{
    json_t *rows = json_array();
    sqlite3_stmt *entries =
        tg_database_prepare(ledger->database, "SELECT account, amount FROM entry WHERE posting = ?1 ORDER BY number");
    sqlite3_stmt *read =
        tg_database_prepare(ledger->database, "SELECT id, kind, payment, currency, request_id, time_s FROM posting"
                                              " WHERE id > ?1 ORDER BY id LIMIT ?2");
    tg_database_bind_number(read, 1, after);
    tg_database_bind_number(read, 2, limit);
    *next = 0;
    while (tg_database_step(read)) {
        int64_t id = sqlite3_column_int64(read, 0);
        json_t *row =
            json_pack("{s:I, s:s, s:s, s:s, s:s, s:I}", "id", (json_int_t)id, "kind", sqlite3_column_text(read, 1),
                      "payment", sqlite3_column_text(read, 2), "currency", sqlite3_column_text(read, 3), "request_id",
                      sqlite3_column_text(read, 4), "time_s", (json_int_t)sqlite3_column_int64(read, 5));
        json_object_set_new(row, "entries", entries_of(entries, id));
        json_array_append_new(rows, row);
        *next = id;
    }
    if ((int64_t)json_array_size(rows) < limit) {
        *next = 0;
    }
    tg_database_finalize(&read);
    tg_database_finalize(&entries);
    return rows;
}
