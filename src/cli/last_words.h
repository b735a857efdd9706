/*
 * last_words.h - what a daemon wrote into its log before it ended, for who started it and waits.
 *
 * Promises: only lines of that process, the newest few, in order; what is no plain text in them becomes '?'.
 * Does not: judge, or read more than the end of the log.
 */
#ifndef TG_CLI_LAST_WORDS_H
#define TG_CLI_LAST_WORDS_H

#include "base/buf.h"
#include "cli/service.h"

#include <sys/types.h>

/* Finds them in the text of a log, as "event: text" lines. Nothing found: out stays as it was. */
void tg_last_words_find(struct tg_span log, pid_t pid, struct tg_buf *out);

/* Complains with them, a line each: those of the service's own log, else those of up.log. */
void tg_last_words_say(const struct tg_instance *instance, enum tg_service service, pid_t pid);

#endif
