/*
 * admin_key.c - key.create, key.list, key.revoke.
 *
 * Promises: only a key's hash and its shown prefix come here; a revocation is durable, in memory
 * and told to every gate before it is answered.
 * Does not: show a hash.
 */
#include <string.h>

#include "keeper/admin.h"
#include "keeper/clock.h"

#include "base/banned.h"

/* The operations as the store keeps them: names with spaces between. False: answered. */
static bool read_operations(struct tg_admin_call *call, struct tg_buf *out)
{
    const json_t *array = json_object_get(call->arguments, "operations");
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        struct tg_span name = json_is_string(item) ? tg_span(json_string_value(item), json_string_length(item))
                                                   : tg_span(NULL, 0);
        bool all = count == 1 && tg_span_equal(name, TG_SPAN("*"));
        if (!all && !tg_admin_name_ok(name)) {
            tg_admin_fail(call, "argument", "operations must be names, or \"*\" alone");
            return false;
        }
        tg_buf_put(out, i == 0 ? tg_span(NULL, 0) : TG_SPAN(" "));
        tg_buf_put(out, name);
    }
    if (count == 0 || tg_buf_done(out) != TG_OK) {
        tg_admin_fail(call, "argument", count == 0 ? "operations is needed, an array" : "operations is too long");
        return false;
    }
    return true;
}

static json_t *split(const char *operations)
{
    json_t *array = json_array();
    struct tg_span rest = tg_span_string(operations);
    while (rest.len > 0) {
        size_t end = tg_span_find(rest, ' ');
        json_array_append_new(array, json_stringn((const char *)rest.ptr, end));
        rest = tg_span_sub(rest, end + 1, rest.len);
    }
    return array;
}

static json_t *key_row(const struct tg_setup *setup, const struct tg_setup_key *key)
{
    const struct tg_partner *partner = tg_setup_partner(setup, key->partner);
    return json_pack("{s:I,s:s,s:s,s:s,s:o,s:I,s:I,s:b,s:I}", "id", (json_int_t)key->id, "partner",
                     partner == NULL ? "" : partner->name, "environment",
                     tg_admin_environment_name(key->environment), "prefix", key->prefix, "operations",
                     split(key->operations), "created_s", (json_int_t)(key->created_us / 1000000), "expires_s",
                     (json_int_t)(key->expires_us / 1000000), "revoked", key->revoked_us != 0, "revoked_s",
                     (json_int_t)(key->revoked_us / 1000000));
}

static void key_created(struct tg_admin_call *call)
{
    if (tg_setup_add_key(&call->keeper->setup, &call->act.credential) != TG_OK) {
        tg_committer_fail("no memory", TG_ERR_ROOM);
    }
    tg_admin_ok(call, json_pack("{s:I}", "id", (json_int_t)call->act.credential.id));
}

void tg_admin_key_create(struct tg_admin_call *call)
{
    const struct tg_partner *partner;
    struct tg_credential *row = &call->act.credential;
    struct tg_buf operations = tg_buf(row->operations, TG_OPERATIONS_BYTES_MAX);
    struct tg_span prefix;
    int64_t expires_s = 0;
    if (!tg_admin_partner(call, &partner) || !tg_admin_environment(call, &row->environment) ||
        !tg_admin_hex(call, "hash", row->hash, TG_DIGEST_BYTES) ||
        !tg_admin_text(call, "prefix", TG_API_KEY_PREFIX_CHARS, &prefix) || !read_operations(call, &operations)) {
        return;
    }
    if (tg_admin_has(call, "expires_s") && !tg_admin_number(call, "expires_s", INT64_C(253402300799), &expires_s)) {
        return;
    }
    if (prefix.len != TG_API_KEY_PREFIX_CHARS || !tg_admin_name_ok(prefix)) {
        tg_admin_fail(call, "argument", "prefix is not a key's first characters");
        return;
    }
    if (tg_setup_key_hashed(&call->keeper->setup, row->hash) != NULL) {
        tg_admin_fail(call, "exists", "that key is known already");
        return;
    }
    call->act.kind = TG_ACT_CREDENTIAL_ADD;
    row->partner = partner->id;
    memcpy(row->prefix, prefix.ptr, prefix.len);
    row->created_us = tg_clock_utc_us();
    row->expires_us = expires_s * 1000000;
    struct tg_setup_key shown = {.partner = partner->id, .environment = row->environment,
                                 .operations = row->operations, .created_us = row->created_us,
                                 .expires_us = row->expires_us};
    memcpy(shown.prefix, row->prefix, sizeof(shown.prefix) - 1);
    json_t *after = key_row(&call->keeper->setup, &shown);
    json_object_del(after, "id");
    tg_admin_act(call, "key.create", tg_span_string(partner->name), NULL, after, key_created);
}

void tg_admin_key_list(struct tg_admin_call *call)
{
    const struct tg_setup *setup = &call->keeper->setup;
    const struct tg_setup_key *keys = setup->keys.rows;
    const struct tg_partner *only = NULL;
    if (tg_admin_has(call, "partner") && !tg_admin_partner(call, &only)) {
        return;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < setup->keys.count; i++) {
        if (only == NULL || only->id == keys[i].partner) {
            json_array_append_new(rows, key_row(setup, &keys[i]));
        }
    }
    tg_admin_rows(call, rows);
}

static void key_revoked(struct tg_admin_call *call)
{
    struct tg_keeper *keeper = call->keeper;
    struct tg_setup_key *key = tg_setup_key(&keeper->setup, call->act.credential.id);
    json_t *rows = json_array();
    if (key != NULL) {
        key->revoked_us = call->act.credential.revoked_us;
        json_array_append_new(rows, key_row(&keeper->setup, key));
    }
    tg_gate_flush(keeper);
    tg_link_flush_all(keeper);
    tg_admin_rows(call, rows);
}

void tg_admin_key_revoke(struct tg_admin_call *call)
{
    int64_t id = 0;
    if (!tg_admin_number(call, "id", UINT32_MAX, &id)) {
        return;
    }
    const struct tg_setup_key *key = tg_setup_key(&call->keeper->setup, (uint32_t)id);
    if (key == NULL) {
        tg_admin_fail(call, "absent", "there is no such key");
        return;
    }
    if (key->revoked_us != 0) {
        json_t *rows = json_array();
        json_array_append_new(rows, key_row(&call->keeper->setup, key));
        tg_admin_rows(call, rows);
        return;
    }
    call->act.kind = TG_ACT_CREDENTIAL_REVOKE;
    call->act.credential.id = (uint32_t)id;
    call->act.credential.revoked_us = tg_clock_utc_us();
    json_t *before = key_row(&call->keeper->setup, key);
    json_t *after = json_copy(before);
    json_object_set_new(after, "revoked", json_true());
    json_object_set_new(after, "revoked_s", json_integer((json_int_t)(call->act.credential.revoked_us / 1000000)));
    const struct tg_partner *partner = tg_setup_partner(&call->keeper->setup, key->partner);
    tg_admin_act(call, "key.revoke", partner == NULL ? tg_span(NULL, 0) : tg_span_string(partner->name), before, after,
                 key_revoked);
}
