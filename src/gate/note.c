/*
 * note.c - NOTE: a verdict that the gate reached alone, told to the keeper for the record.
 */
#include "gate/link.h"
#include "gate/steps.h"

void tg_gate_note(const struct tg_gate_ctx *ctx, uint16_t reason, uint16_t status, uint8_t flags)
{
    struct tg_note note = {.flags = flags, .reason = reason, .status = status};

    note.partner = ctx->partner;
    note.credential = ctx->credential;
    ngx_memcpy(note.request_id, ctx->request_id, sizeof(note.request_id));
    if (ctx->conf != NULL) {
        note.route = tg_gate_span(ctx->conf->route);
    }
    if (ctx->operation != NULL) {
        note.operation = ctx->operation->name;
    }
    /* Lost without a link; counted there. */
    (void)tg_gate_link_note(&note);
}
