/*
 * admin_partner.c - partner.add, partner.list, certificate.add, certificate.list.
 *
 * Promises: a name is taken once; a certificate belongs to one partner's row.
 * Does not: remove a partner; its record stays.
 */
#include <string.h>

#include "keeper/admin.h"

#include "base/banned.h"

static void partner_added(struct tg_admin_call *call)
{
    if (tg_setup_add_partner(&call->keeper->setup, &call->act.partner) != TG_OK) {
        tg_committer_fail("no memory", TG_ERR_ROOM);
    }
    tg_admin_ok(call, json_pack("{s:I}", "id", (json_int_t)call->act.partner.id));
}

void tg_admin_partner_add(struct tg_admin_call *call)
{
    struct tg_span name;
    if (!tg_admin_name(call, "name", &name)) {
        return;
    }
    call->act.kind = TG_ACT_PARTNER_ADD;
    memcpy(call->act.partner.name, name.ptr, name.len);
    tg_admin_act(call, "partner.add", name, NULL, json_pack("{s:s%}", "name", name.ptr, name.len), partner_added);
}

void tg_admin_partner_list(struct tg_admin_call *call)
{
    const struct tg_setup_table *table = &call->keeper->setup.partners;
    const struct tg_partner *partners = table->rows;
    json_t *rows = json_array();
    for (size_t i = 0; i < table->count; i++) {
        json_array_append_new(rows, json_pack("{s:I,s:s}", "id", (json_int_t)partners[i].id, "name",
                                              partners[i].name));
    }
    tg_admin_rows(call, rows);
}

static void certificate_added(struct tg_admin_call *call)
{
    if (tg_setup_add_certificate(&call->keeper->setup, &call->act.certificate) != TG_OK) {
        tg_committer_fail("no memory", TG_ERR_ROOM);
    }
    /* A partner's first certificate makes keys without one bad: what gates remember may be wrong. */
    tg_gate_flush(call->keeper);
    tg_admin_ok(call, json_object());
}

static json_t *certificate_row(const struct tg_setup *setup, const struct tg_partner_certificate *row)
{
    char digest[2 * TG_DIGEST_BYTES + 1] = {0};
    struct tg_buf hex = tg_buf(digest, sizeof(digest) - 1);
    tg_buf_put_hex(&hex, tg_span(row->sha256, TG_DIGEST_BYTES));
    const struct tg_partner *partner = tg_setup_partner(setup, row->partner);
    return json_pack("{s:s,s:s,s:I,s:o}", "partner", partner == NULL ? "" : partner->name, "sha256", digest,
                     "not_after_s", (json_int_t)(row->not_after_us / 1000000), "not_after",
                     tg_admin_time(row->not_after_us));
}

void tg_admin_certificate_add(struct tg_admin_call *call)
{
    const struct tg_partner *partner;
    struct tg_partner_certificate *row = &call->act.certificate;
    int64_t not_after_s = 0;
    if (!tg_admin_partner(call, &partner) || !tg_admin_hex(call, "sha256", row->sha256, TG_DIGEST_BYTES)) {
        return;
    }
    if (tg_admin_has(call, "not_after_s") && !tg_admin_number(call, "not_after_s", INT64_C(253402300799), &not_after_s)) {
        return;
    }
    call->act.kind = TG_ACT_CERTIFICATE_ADD;
    row->partner = partner->id;
    row->not_after_us = not_after_s * 1000000;
    tg_admin_act(call, "certificate.add", tg_span_string(partner->name), NULL,
                 certificate_row(&call->keeper->setup, row), certificate_added);
}

void tg_admin_certificate_list(struct tg_admin_call *call)
{
    const struct tg_setup *setup = &call->keeper->setup;
    const struct tg_partner_certificate *certificates = setup->certificates.rows;
    json_t *rows = json_array();
    const struct tg_partner *only = NULL;
    if (tg_admin_has(call, "partner") && !tg_admin_partner(call, &only)) {
        json_decref(rows);
        return;
    }
    for (size_t i = 0; i < setup->certificates.count; i++) {
        if (only == NULL || only->id == certificates[i].partner) {
            json_array_append_new(rows, certificate_row(setup, &certificates[i]));
        }
    }
    tg_admin_rows(call, rows);
}
