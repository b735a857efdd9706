/*
 * setup.h - what init fills a fresh instance with, through the keeper's own admin socket.
 *
 * Promises: partner, limits, keys and route credentials of the tour come from
 * fresh random bits; nothing here is the same in two instances.
 * Does not: write to the store itself.
 */
#ifndef TG_CLI_SETUP_H
#define TG_CLI_SETUP_H

#include "cli/admin.h"

#define TG_SETUP_PARTNER "tour"

struct tg_setup_route {
    const char *name;
    const char *credential; /* header value; a secret */
};

/*
 * Starts sealer and keeper, sets everything up, stops them. read_operations: what client/limited.key may do, with
 * commas between. Complains.
 */
TG_MUST_CHECK enum tg_err tg_setup_instance(const struct tg_instance *instance, const char *read_operations,
                                            const struct tg_setup_route *routes, size_t route_count);

#endif
