/*
 * world_act.c - one administrative act of a world, of every kind, refused ones included.
 *
 * Promises: the act's answer is what the setup allows. Does not: model the rows: they are held against another time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

static void fill(struct world *world, struct tg_act *act, uint32_t number)
{
    static uint8_t sealed[3000];
    uint32_t partner = 1 + (uint32_t)world_draw(world, WORLD_PARTNERS);
    switch (act->kind) {
    case TG_ACT_PARTNER_ADD:
        (void)snprintf(act->partner.name, sizeof(act->partner.name), "shop-%u", number);
        break;
    case TG_ACT_CREDENTIAL_ADD:
        act->credential = (struct tg_credential){.partner = partner, .environment = 1, .created_us = act->at_us};
        kit_bytes(act->credential.hash, sizeof(act->credential.hash), 6, number);
        (void)snprintf(act->credential.operations, sizeof(act->credential.operations), "payment.create");
        break;
    case TG_ACT_CREDENTIAL_REVOKE:
        act->credential = (struct tg_credential){.id = partner, .revoked_us = act->at_us};
        break;
    case TG_ACT_LIMIT_SET:
        act->limit = (struct tg_limit){.partner = partner,
                                       .environment = 1,
                                       .currency = "EUR",
                                       .payment_minor_max = number,
                                       .day_minor_max = number};
        break;
    case TG_ACT_CERTIFICATE_ADD:
        act->certificate = (struct tg_partner_certificate){.partner = partner, .not_after_us = act->at_us};
        kit_bytes(act->certificate.sha256, sizeof(act->certificate.sha256), 7, number);
        break;
    case TG_ACT_ROUTE_SET:
        (void)snprintf(act->route.route, sizeof(act->route.route), "route-%u", number % 4);
        kit_bytes(sealed, sizeof(sealed), 8, number);
        act->route.sealed = tg_span(sealed, 20 + world_draw(world, sizeof(sealed) - 20));
        break;
    case TG_ACT_OTHER:
        break;
    }
}

enum tg_err world_act(struct world *world)
{
    struct tg_act act = {.kind = (enum tg_act_kind)(1 + world_draw(world, 7)),
                         .at_us = world->kit.now_us,
                         .actor = TG_SPAN("uid=0 login=alice"),
                         .what = TG_SPAN("partner.add shop"),
                         .after = TG_SPAN("{\"a\":1}")};
    bool again = world->model.acts > 0 && world_draw(world, 5) == 0; /* a name that is taken already, perhaps */
    uint32_t number = again ? (uint32_t)world_draw(world, world->model.acts) : world->model.acts;
    kit_bytes(act.request_id, sizeof(act.request_id), 9, world->model.acts);
    fill(world, &act, number);
    enum tg_err err = tg_store_act(world->kit.store, &act);
    bool told = err == TG_OK || err == TG_ERR_DENIED || err == TG_ERR_ABSENT;
    if (!told) {
        return err;
    }
    world->model.acts++;
    return TG_OK;
}
