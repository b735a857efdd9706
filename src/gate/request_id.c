/*
 * request_id.c - fresh request ids.
 *
 * An id is public; it has to be unlike every other one. The generator is asked for many at once, since asking costs
 * more than the bytes. Does not: share them: each worker takes its own, whatever it was forked from.
 */
#include "crypto/crypto.h"
#include "gate/steps.h"

/* One kilobyte: at ten thousand calls a second the generator is asked every six milliseconds. */
#define TG_REQUEST_ID_BATCH 64

struct tg_request_ids {
    uint8_t id[TG_REQUEST_ID_BATCH][TG_REQUEST_ID_BYTES];
    size_t left;
    ngx_pid_t pid; /* whose they are */
};

static struct tg_request_ids tg_request_ids;

bool tg_gate_request_id(uint8_t ret[TG_REQUEST_ID_BYTES])
{
    struct tg_request_ids *ids = &tg_request_ids;

    if (ids->left == 0 || ids->pid != ngx_pid) {
        ids->left = 0;
        if (tg_random(ids->id, sizeof(ids->id)) != TG_OK) {
            return false;
        }
        ids->left = TG_REQUEST_ID_BATCH;
        ids->pid = ngx_pid;
    }
    ids->left--;
    ngx_memcpy(ret, ids->id[ids->left], TG_REQUEST_ID_BYTES);
    return true;
}
