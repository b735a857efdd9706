/*
 * auth.c - the question "who is this?", answered at once from memory.
 *
 * Promises: failures are throttled per address and per key prefix, and recorded at a bounded rate;
 * a key that is right is never throttled, whatever others did with its prefix or from its address:
 * 256 random bits are not guessed, so the throttle spares the record, not the key.
 * Does not: see a key; the gate keeps it and sends its hash.
 */
#include <string.h>

#include "crypto/crypto.h"
#include "keeper/clock.h"
#include "keeper/keeper.h"
#include "keeper/policy.h"

#include "base/banned.h"

enum { BY_ADDRESS = 1, BY_PREFIX = 2 };

/* Seconds to wait before this address and prefix may fail again; 0: this failure was counted. */
static uint16_t count_failure(struct tg_keeper *keeper, const struct tg_auth *auth)
{
    int64_t now_ms = tg_clock_monotonic_us() / 1000;
    struct tg_span address = tg_throttle_address(auth->address);
    struct tg_span prefix = tg_span(auth->key_prefix, TG_API_KEY_PREFIX_CHARS);
    uint16_t by_address_s = tg_throttle_wait_s(keeper->throttle, BY_ADDRESS, address, now_ms);
    uint16_t by_prefix_s = tg_throttle_wait_s(keeper->throttle, BY_PREFIX, prefix, now_ms);
    if (by_address_s > 0 || by_prefix_s > 0) {
        return by_address_s > by_prefix_s ? by_address_s : by_prefix_s;
    }
    tg_throttle_fail(keeper->throttle, BY_ADDRESS, address, now_ms);
    tg_throttle_fail(keeper->throttle, BY_PREFIX, prefix, now_ms);
    return 0;
}

static void record(struct tg_keeper *keeper, const struct tg_auth *auth, uint16_t reason)
{
    struct tg_verdict_row row = {.at_us = tg_clock_utc_us(), .reason = reason,
                                 .status = tg_reason_entry(reason)->status};
    const struct tg_setup_key *key = tg_setup_key_hashed(&keeper->setup, auth->key_hash);
    if (key != NULL) {
        row.partner = key->partner;
        row.credential = key->id;
        row.environment = key->environment;
    }
    if (tg_env_random(row.request_id, sizeof(row.request_id)) == TG_OK) {
        tg_note_record(keeper, &row);
    }
}

bool tg_auth_serve(struct tg_link *link, const struct tg_frame *frame)
{
    struct tg_keeper *keeper = link->keeper;
    struct tg_auth auth;
    if (tg_auth_read(frame->body, &auth) != TG_OK) {
        return false;
    }
    const struct tg_setup_key *key;
    struct tg_auth_answer answer = {0};
    answer.reason = (uint16_t)tg_policy_authenticate(&keeper->setup, &auth, tg_clock_utc_us(), &key);
    if (answer.reason == TG_REASON_OK) {
        answer.partner = key->partner;
        answer.credential = key->id;
        answer.environment = key->environment;
        keeper->metrics.authentications++;
    } else {
        answer.retry_after_s = count_failure(keeper, &auth);
        if (answer.retry_after_s > 0) {
            answer.reason = TG_REASON_AUTHENTICATION_THROTTLED;
            keeper->suppressed++;
            keeper->metrics.suppressed++;
        } else {
            record(keeper, &auth, answer.reason);
        }
        tg_metrics_refusal(&keeper->metrics, answer.reason);
    }
    struct tg_buf *out = tg_link_room(link, TG_SMALL_FRAME_BYTES_MAX);
    if (out != NULL) {
        tg_auth_answer_write(out, frame->slot, frame->turn, &answer);
    }
    return true;
}
