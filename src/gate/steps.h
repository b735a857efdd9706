/*
 * steps.h - how the files of the gate call each other: one function a step of a call's way.
 *
 * Promises: a step that says WAIT has put a question or a body read under way and will be entered again; a step that
 * says REFUSE has set ctx->reason. Nothing here keeps state outside the request's context and its slot.
 */
#ifndef TG_GATE_STEPS_H
#define TG_GATE_STEPS_H

#include "gate/gate.h"
#include "gate/slot.h"

enum tg_gate_next { TG_NEXT_GO = 0, TG_NEXT_WAIT, TG_NEXT_REFUSE };

/* ---- context.c ---- */

/* A new context with a fresh request id, found again by tg_gate_ctx_find(); NULL: no memory or no randomness. */
struct tg_gate_ctx *tg_gate_ctx_make(ngx_http_request_t *r);

/* Wakes the request by its connection's write event; does nothing when the request is gone. */
void tg_gate_wake(struct tg_gate_ctx *ctx);

/* True when TG_STEP_*_ASKED may wait: sets the handlers of a suspended request. */
void tg_gate_suspend(ngx_http_request_t *r);

/* The shape of refusals for this context, or plain where none is known. */
uint8_t tg_gate_shape(const struct tg_gate_ctx *ctx);

/* 16 bytes: IPv6, or IPv4 mapped into it; zeroes for a unix socket. */
void tg_gate_address(ngx_http_request_t *r, uint8_t ret[16]);

struct tg_span tg_gate_span(ngx_str_t text);

/* ---- request_id.c ---- */

/* An id that nobody had before; false: no randomness. */
bool tg_gate_request_id(uint8_t ret[TG_REQUEST_ID_BYTES]);

/* ---- phases ---- */
ngx_int_t tg_gate_post_read(ngx_http_request_t *r);
ngx_int_t tg_gate_preaccess(ngx_http_request_t *r);

/* ---- body.c ---- */

/* The body as one span in ctx->body; nginx's chain becomes that one buffer, with a Content-Length. */
enum tg_gate_next tg_gate_body_take(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* True when the message says that its body is larger than may be inspected: refused before it is read. */
bool tg_gate_body_announced_too_large(ngx_http_request_t *r);

/* ---- call.c: operation, facts and idempotency key of the call ---- */
enum tg_gate_next tg_gate_call_match(ngx_http_request_t *r, struct tg_gate_ctx *ctx);
enum tg_gate_next tg_gate_call_read(ngx_http_request_t *r, struct tg_gate_ctx *ctx);
struct tg_span tg_gate_call_path(ngx_http_request_t *r);

/* ---- fingerprint.c ---- */

/* SHA-256 over method, path and query, content type, body and the profile's bound fields. */
TG_MUST_CHECK enum tg_err tg_gate_fingerprint(ngx_http_request_t *r, const struct tg_gate_ctx *ctx,
                                              uint8_t ret[TG_DIGEST_BYTES]);

/* ---- admit.c ---- */

/* The question's content; false on an internal fault. */
bool tg_gate_admit_fill(ngx_http_request_t *r, const struct tg_gate_ctx *ctx, struct tg_admit *ret);
enum tg_gate_next tg_gate_admit_ask(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* ---- credential.c ---- */

/* Takes the caller's credential out of the request, puts the route's own in. */
ngx_int_t tg_gate_credential_swap(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* Wipes the route's credential from the request and from what was sent; all says that sending is over. */
void tg_gate_credential_wipe(struct tg_gate_ctx *ctx, bool all);

/* ---- hop.c ---- */

/* Drops what belongs to the caller's connection alone. */
ngx_int_t tg_gate_hop_drop(ngx_http_request_t *r, const struct tg_gate_ctx *ctx);

/* ---- upstream_key.c ---- */

/* Puts the upstream's key in the place of the caller's; without a key that was judged, drops the field. */
ngx_int_t tg_gate_upstream_key_swap(ngx_http_request_t *r, const struct tg_gate_ctx *ctx);

/* Where the answer says the key, it says the caller's own, or none. */
void tg_gate_upstream_key_echo(ngx_http_request_t *r, const struct tg_gate_ctx *ctx);

/* ---- settle.c ---- */

/* What the held answer means: sets outcome, reason and whether the answer may be passed on. */
void tg_gate_settle_judge(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* Asks SETTLE for a held answer; ctx->hold becomes TG_HOLD_OVER when it has ended. */
void tg_gate_settle_ask(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* The request ends, or ADMIT was not answered: settles without it, with what is known. ctx->slot becomes NULL. */
void tg_gate_settle_abandon(struct tg_gate_ctx *ctx, uint8_t outcome, uint16_t reason);

/* Sent, not sent, or answered: judged for a request that ends without a held answer. */
uint8_t tg_gate_settle_outcome_sent(ngx_http_request_t *r);

/* The caller sees nothing; a SETTLE that no request waits for. Takes the slot over. */
void tg_gate_settle_detached(struct tg_gate_slot *slot, ngx_msec_t wait_ms);

/* ---- refuse.c ---- */

/* Sends the refusal and ends the request's phases: what PREACCESS is to return. */
ngx_int_t tg_gate_refuse(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* Sets status, fields and body of a problem document in headers_out (which the caller has cleaned). */
ngx_int_t tg_gate_problem_apply(ngx_http_request_t *r, struct tg_gate_ctx *ctx, uint16_t reason, struct tg_span *body);

/* Request ids and marks on whatever answer goes out. */
ngx_int_t tg_gate_answer_mark(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* Content handler of `tollgate_problem`. */
ngx_int_t tg_gate_problem_handler(ngx_http_request_t *r);

/* One memory buffer that ends the answer. */
ngx_chain_t *tg_gate_last_chain(ngx_http_request_t *r, struct tg_span body);

/* ---- replay.c ---- */
ngx_int_t tg_gate_replay(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* ---- note.c ---- */
void tg_gate_note(const struct tg_gate_ctx *ctx, uint16_t reason, uint16_t status, uint8_t flags);

/* ---- observe.c ---- */
ngx_int_t tg_gate_observe(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* The observed request ends. */
void tg_gate_observe_end(ngx_http_request_t *r, struct tg_gate_ctx *ctx);

/* ---- framing.c ---- */

/* From the held header on: an answer whose framing breaks ends as cut. */
void tg_gate_framing_watch(ngx_http_upstream_t *upstream, struct tg_gate_ctx *ctx);

/* Ends the upstream's answer here. */
void tg_gate_framing_end(ngx_http_upstream_t *upstream);

/* ---- filter.c ---- */
ngx_int_t tg_gate_filter_init(ngx_conf_t *cf);

/* ---- conf.c ---- */
extern ngx_command_t tg_gate_commands[];
void *tg_gate_main_conf_make(ngx_conf_t *cf);
void *tg_gate_server_conf_make(ngx_conf_t *cf);
void *tg_gate_location_conf_make(ngx_conf_t *cf);
char *tg_gate_location_conf_merge(ngx_conf_t *cf, void *parent, void *child);

/* ---- profile_file.c ---- */

/* Reads and parses a profile once; NULL after saying why with file and line. */
const struct tg_profile *tg_gate_profile_load(ngx_conf_t *cf, ngx_str_t *name);

#endif
