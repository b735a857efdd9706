/*
 * auth.h - who calls: the API key in the request, the keeper's answer to it, and a short memory of good answers.
 *
 * Promises: only positive answers are remembered, by the key's hash and the certificate's, for at most one second of
 * this worker's time; FLUSH and a lost link forget them all. The key itself is not kept.
 */
#ifndef TG_GATE_AUTH_H
#define TG_GATE_AUTH_H

#include "gate/steps.h"

/* Finds the key and checks its shape; TG_REASON_OK and *ret filled, or the refusal. */
uint16_t tg_gate_auth_read(ngx_http_request_t *r, const struct tg_profile *profile, struct tg_auth *ret);

/* Looks in the cache, else asks. */
enum tg_gate_next tg_gate_auth_ask(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* The remembered answer, or NULL. */
const struct tg_auth_answer *tg_gate_auth_cached(const struct tg_auth *auth);
void tg_gate_auth_remember(const struct tg_auth *auth, const struct tg_auth_answer *answer);

/* Forget everything. */
void tg_gate_auth_flush(void);

#endif
