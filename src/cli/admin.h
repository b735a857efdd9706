/*
 * admin.h - questions to the keeper over run/admin.sock: JSON in the envelope of wire/frame.h.
 *
 * Promises: one question at a time; answers that come in several frames are
 * joined; a keeper that is silent for TG_ADMIN_WAIT_MS counts as gone; what
 * the keeper refuses is said on stderr in its own words.
 * Does not: retry.
 */
#ifndef TG_CLI_ADMIN_H
#define TG_CLI_ADMIN_H

#include "cli/instance.h"

#include <jansson.h>

#define TG_ADMIN_WAIT_MS 10000

struct tg_admin {
    int fd;
    uint32_t turn;
    uint8_t *input; /* TG_FRAME_HEADER_BYTES + TG_FRAME_BODY_BYTES_MAX */
};

/* Connects; complains unless quiet. */
TG_MUST_CHECK enum tg_err tg_admin_open(const struct tg_instance *instance, bool quiet, struct tg_admin *ret);
void tg_admin_close(struct tg_admin *admin);

/*
 * Asks one command. arguments is taken (may be NULL). *result gets a new reference, or NULL on failure:
 * TG_ERR_DENIED: the keeper said no (complained with its text); TG_ERR_DOWN: it does not answer (complained).
 */
TG_MUST_CHECK enum tg_err tg_admin_ask(struct tg_admin *admin, const char *command, json_t *arguments,
                                       json_t **result);

/* As tg_admin_ask, but says nothing: why gets the text. */
TG_MUST_CHECK enum tg_err tg_admin_try(struct tg_admin *admin, const char *command, json_t *arguments,
                                       json_t **result, char *why, size_t why_size);

/* Opens the instance of the line, connects, asks, closes. The exit code; *result as above. */
int tg_admin_once(const struct tg_arguments *arguments, const char *command, json_t *body, json_t **result);

#endif
