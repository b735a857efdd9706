/*
 * recent.c - a four-way set-associative table of outcomes; see recent.h.
 *
 * Promises: a put and a get touch one set. Does not: count or age.
 */
#include "store/recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

enum tg_err tg_recent_init(struct tg_recent *recent)
{
    recent->sets = malloc(TG_RECENT_SETS * sizeof(*recent->sets));
    if (recent->sets == NULL)
        return TG_ERR_DOWN;
    memset(recent->sets, 0, TG_RECENT_SETS * sizeof(*recent->sets)); /* touched before it is hot */
    return TG_OK;
}

void tg_recent_free(struct tg_recent *recent)
{
    free(recent->sets);
    recent->sets = NULL;
}

/* Request ids are random; a gate that chooses them can only crowd its own outcomes out. */
static struct tg_recent_set *set_of(const struct tg_recent *recent, const uint8_t *request_id)
{
    return &recent->sets[(tg_be64_read(request_id) ^ tg_be64_read(request_id + 8)) % TG_RECENT_SETS];
}

void tg_recent_put(struct tg_recent *recent, const uint8_t *request_id, uint8_t outcome)
{
    struct tg_recent_set *set = set_of(recent, request_id);
    unsigned way = set->next;
    for (unsigned i = 0; i < TG_RECENT_WAYS; i++)
        if (set->outcome[i] != 0 && memcmp(set->request_id[i], request_id, TG_REQUEST_ID_BYTES) == 0)
            way = i;
    memcpy(set->request_id[way], request_id, TG_REQUEST_ID_BYTES);
    set->outcome[way] = outcome;
    if (way == set->next)
        set->next = (uint8_t)((set->next + 1) % TG_RECENT_WAYS);
}

uint8_t tg_recent_get(const struct tg_recent *recent, const uint8_t *request_id)
{
    const struct tg_recent_set *set = set_of(recent, request_id);
    for (unsigned i = 0; i < TG_RECENT_WAYS; i++)
        if (set->outcome[i] != 0 && memcmp(set->request_id[i], request_id, TG_REQUEST_ID_BYTES) == 0)
            return set->outcome[i];
    return 0;
}

void tg_recent_near(const struct tg_recent *recent, const uint8_t *request_id)
{
    const struct tg_recent_set *set = set_of(recent, request_id);
    __builtin_prefetch(set, 1);
    __builtin_prefetch((const char *)set + 64, 1);
}
