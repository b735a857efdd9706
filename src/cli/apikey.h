/*
 * apikey.h - API keys, made here: the key goes into a file, its hash to the keeper.
 *
 * Promises: 256 random bits a key; the text is wiped from memory when it has
 * been written; nothing but hash and prefix leaves this program.
 */
#ifndef TG_CLI_APIKEY_H
#define TG_CLI_APIKEY_H

#include "base/limits.h"
#include "cli/admin.h"

struct tg_apikey_wish {
    const char *partner;
    bool live;
    const char *operations; /* "payment.create,payment.read" or "*" */
    const char *out;        /* new file, 0600 */
    bool show;              /* print it too, once */
    int64_t expires_s;      /* UTC seconds, 0: never */
};

/* Makes a key, registers its hash, writes the file. *id gets the keeper's id. Complains. */
TG_MUST_CHECK enum tg_err tg_apikey_make(struct tg_admin *admin, const struct tg_apikey_wish *wish, json_int_t *id);

/* "a,b" as a JSON array; NULL: a name is empty, too long or not of [a-z0-9._-] or "*". */
json_t *tg_apikey_operations(const char *operations);

#endif
