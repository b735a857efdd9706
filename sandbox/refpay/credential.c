/*
 * credential.c - compares in constant time, remembers by digest.
 *
 * Promises: see credential.h.
 */
#include "credential.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"

#define SCHEME "Bearer "
#define SCHEME_BYTES (sizeof(SCHEME) - 1)

enum tg_err tg_credential_open(struct tg_credential *ret, const char *path)
{
    *ret = (struct tg_credential){.database = NULL};
    enum tg_secret_kind kind; /* a sandbox takes whatever protection there is */
    enum tg_err err = tg_secret_make(&ret->expected, SCHEME_BYTES + TG_CREDENTIAL_BYTES_MAX + 2, &kind);
    if (err != TG_OK) {
        return err;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return TG_ERR_DENIED;
    }
    memcpy(ret->expected.ptr, SCHEME, SCHEME_BYTES);
    ssize_t len = read(file, ret->expected.ptr + SCHEME_BYTES, TG_CREDENTIAL_BYTES_MAX + 2);
    close(file);
    if (len > 0 && ret->expected.ptr[SCHEME_BYTES + (size_t)len - 1] == '\n') {
        len--;
    }
    if (len < 1 || len > TG_CREDENTIAL_BYTES_MAX) {
        return TG_ERR_INPUT;
    }
    ret->expected.len = SCHEME_BYTES + (size_t)len;
    for (size_t i = SCHEME_BYTES; i < ret->expected.len; i++) {
        if (ret->expected.ptr[i] <= 0x20 || ret->expected.ptr[i] >= 0x7f) {
            return TG_ERR_INPUT;
        }
    }
    return TG_OK;
}

void tg_credential_attach(struct tg_credential *credential, struct tg_database *database)
{
    credential->database = database;
    tg_database_run(database,
                    "CREATE TABLE IF NOT EXISTS foreign_credential (field TEXT NOT NULL, sha256 TEXT NOT NULL,"
                    " count INTEGER NOT NULL, PRIMARY KEY (field, sha256)) STRICT, WITHOUT ROWID;");
    credential->witness = tg_database_prepare(database, "INSERT INTO foreign_credential VALUES (?1, ?2, 1)"
                                                        " ON CONFLICT DO UPDATE SET count = count + 1");
    credential->seen =
        tg_database_prepare(database, "SELECT 1 FROM foreign_credential WHERE field = ?1 AND sha256 = ?2");
    credential->kept = tg_database_number(database, "SELECT count(*) FROM foreign_credential");
}

void tg_credential_close(struct tg_credential *credential)
{
    tg_database_finalize(&credential->witness);
    tg_database_finalize(&credential->seen);
    tg_secret_free(&credential->expected);
}

static void witness(struct tg_credential *credential, const char *field, struct tg_span value)
{
    uint8_t digest[TG_DIGEST_BYTES];
    char hex[2 * TG_DIGEST_BYTES + 1] = "unknown";
    struct tg_buf buf = tg_buf(hex, sizeof(hex) - 1);
    if (tg_sha256(value, digest) == TG_OK) {
        tg_buf_put_hex(&buf, tg_span(digest, sizeof(digest)));
        hex[buf.len] = '\0';
    }
    tg_database_begin(credential->database);
    tg_database_bind_text(credential->seen, 1, field);
    tg_database_bind_text(credential->seen, 2, hex);
    bool seen = tg_database_step(credential->seen);
    tg_database_reset(credential->seen);
    /* Past the bound, new values share one row, so that the count still tells of them. */
    bool full = !seen && credential->kept >= TG_CREDENTIAL_WITNESS_MAX;
    tg_database_bind_text(credential->witness, 1, full ? "more" : field);
    tg_database_bind_text(credential->witness, 2, full ? "" : hex);
    tg_database_do(credential->witness);
    credential->kept += seen || full ? 0 : 1;
}

/* The name under which a field's value counts as a credential, or NULL. */
static const char *credential_field(struct tg_span name)
{
    static const char *const fields[] = {"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (tg_span_equal_nocase(name, tg_span_string(fields[i]))) {
            return fields[i];
        }
    }
    return NULL;
}

/* Any Tollgate API key in the bytes: the digest is that of the key itself, where whole. */
static void search(struct tg_credential *credential, const char *place, struct tg_span bytes)
{
    static const char *const marks[] = {"tgk_test_", "tgk_live_"};
    for (size_t i = 0; i < 2; i++) {
        struct tg_span mark = tg_span_string(marks[i]);
        struct tg_span rest = bytes;
        while (rest.len >= mark.len) {
            const uint8_t *at = memmem(rest.ptr, rest.len, mark.ptr, mark.len);
            if (at == NULL) {
                break;
            }
            rest = tg_span_sub(rest, (size_t)(at - rest.ptr), rest.len);
            witness(credential, place, tg_span_sub(rest, 0, TG_API_KEY_CHARS));
            rest = tg_span_sub(rest, mark.len, rest.len);
        }
    }
}

bool tg_credential_check(struct tg_credential *credential, const struct tg_http_request *request)
{
    const struct tg_secret *expected = &credential->expected;
    size_t right = 0, authorizations = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        const struct tg_http_field *field = &request->fields[i];
        const char *name = credential_field(field->name);
        bool authorization = tg_span_equal_nocase(field->name, TG_SPAN("authorization"));
        authorizations += authorization ? 1 : 0;
        if (authorization && field->value.len == expected->len &&
            tg_equal_secret(field->value.ptr, expected->ptr, expected->len)) {
            right++;
            continue;
        }
        if (name != NULL) {
            witness(credential, name, field->value);
        }
        search(credential, "key in field", field->value);
    }
    search(credential, "key in path", request->path);
    search(credential, "key in query", request->query);
    search(credential, "key in body", request->body);
    bool accepted = right == 1 && authorizations == 1;
    credential->accepted += accepted ? 1 : 0;
    credential->refused += accepted ? 0 : 1;
    return accepted;
}

json_t *tg_credential_show(struct tg_credential *credential)
{
    json_t *rows = json_array();
    sqlite3_stmt *read = tg_database_prepare(
        credential->database, "SELECT field, sha256, count FROM foreign_credential ORDER BY field, sha256");
    json_int_t foreign = 0;
    while (tg_database_step(read)) {
        json_int_t count = sqlite3_column_int64(read, 2);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:I}", "field", sqlite3_column_text(read, 0), "sha256",
                                              sqlite3_column_text(read, 1), "count", count));
        foreign += count;
    }
    tg_database_finalize(&read);
    return json_pack("{s:I, s:I, s:I, s:o}", "accepted", (json_int_t)credential->accepted, "refused",
                     (json_int_t)credential->refused, "foreign", foreign, "seen", rows);
}
