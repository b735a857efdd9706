/*
 * instance.h - one instance: where its files stand and what tollgate.json says.
 *
 * Promises: the layout of an instance is known only here. DIR is found by the
 * word on the line, --instance, TOLLGATE_INSTANCE, then the default; it is
 * made absolute, because daemons and nginx get absolute paths only.
 * Does not: start or change anything.
 */
#ifndef TG_CLI_INSTANCE_H
#define TG_CLI_INSTANCE_H

#include "cli/file.h"
#include "cli/option.h"

#define TG_ADDRESS_CHARS_MAX 64
#define TG_USER_CHARS_MAX 32

/* Longest instance path: with "/run/sealer.sock" and a NUL it must fit sun_path (108 bytes). */
#define TG_INSTANCE_PATH_BYTES_MAX 88

#define TG_INSTANCE_KEEPERS_MAX 8 /* as the sealer takes it (sealer/serve.h) */

struct tg_instance {
    char dir[TG_PATH_BYTES_MAX];
    char listen[TG_ADDRESS_CHARS_MAX];        /* "127.0.0.1:8443" */
    char status_listen[TG_ADDRESS_CHARS_MAX];
    char upstream[TG_ADDRESS_CHARS_MAX];
    char profile[TG_USER_CHARS_MAX];
    bool sandbox;
    bool postgres;                            /* the store is a server's; store/connection says which */
    char joins[TG_INSTANCE_PATH_BYTES_MAX + 1]; /* the instance whose database and sealer this one shares, or "" */
    unsigned keepers;                         /* that the sealer serves: this instance's, and of those that join it */
    bool separated;                           /* each process has its own user */
    char keeper_user[TG_USER_CHARS_MAX];      /* "" where not separated */
    char sealer_user[TG_USER_CHARS_MAX];
    char gate_user[TG_USER_CHARS_MAX];
    char sandbox_user[TG_USER_CHARS_MAX];
};

/* The folder that the line means, absolute, in ret->dir; word: the positional DIR or NULL. Complains. */
TG_MUST_CHECK enum tg_err tg_instance_find(const struct tg_arguments *arguments, const char *word,
                                           struct tg_instance *ret);

/* Finds and reads tollgate.json. Complains. */
TG_MUST_CHECK enum tg_err tg_instance_open(const struct tg_arguments *arguments, const char *word,
                                           struct tg_instance *ret);

/* True, and said, when the folder has keys and no tollgate.json: an init that did not end, or one that lost it. */
bool tg_instance_part(const struct tg_instance *instance);

/* tollgate.json as text, and back. TG_ERR_INPUT: why says what is wrong. */
TG_MUST_CHECK enum tg_err tg_instance_write(const struct tg_instance *instance, struct tg_buf *out);
TG_MUST_CHECK enum tg_err tg_instance_read(struct tg_span text, struct tg_instance *ret, char *why, size_t why_size);

/* DIR/name. An instance's path is short enough for every name used here. */
const char *tg_instance_path(const struct tg_instance *instance, const char *name, char ret[TG_PATH_BYTES_MAX]);

/* What a client on this machine calls. A wildcard is no address, and no name of the certificate: localhost is. */
#define TG_INSTANCE_URL_BYTES_MAX (TG_ADDRESS_CHARS_MAX + 24) /* "https://localhost" before the port */
const char *tg_instance_url(const struct tg_instance *instance, char ret[TG_INSTANCE_URL_BYTES_MAX]);

/* "127.0.0.1:8443" or "[::1]:8443": host without brackets, port 1..65535. */
TG_MUST_CHECK enum tg_err tg_address_parse(const char *text, char host[TG_ADDRESS_CHARS_MAX], uint16_t *port);

/* Owner of a user's name; complains when there is none. "" gives TG_OWNER_SELF. */
TG_MUST_CHECK enum tg_err tg_user_find(const char *name, struct tg_owner *ret);

#endif
