/*
 * err.c - names of errors for logs.
 *
 * Promises: every value has a name, unknown ones too.
 * Does not: translate errno (daemon/log.h names those).
 */
#include "base/err.h"

#include "base/banned.h"

const char *tg_err_name(enum tg_err err)
{
    switch (err) {
    case TG_OK:
        return "ok";
    case TG_ERR_INPUT:
        return "input";
    case TG_ERR_LIMIT:
        return "limit";
    case TG_ERR_ROOM:
        return "room";
    case TG_ERR_DENIED:
        return "denied";
    case TG_ERR_DOWN:
        return "down";
    case TG_ERR_CORRUPT:
        return "corrupt";
    case TG_ERR_ABSENT:
        return "absent";
    case TG_ERR_BUG:
        return "bug";
    }
    return "unknown";
}
