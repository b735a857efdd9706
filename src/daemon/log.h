/*
 * log.h - one JSON object a line, to stderr or to a file.
 *
 * Promises: each line is one write(2), at most TG_LOG_LINE_BYTES_MAX long, valid JSON whatever the
 * values hold (bytes that are not printable ASCII become \u00XX), and begins
 * {"event":"...","level":"...","time":"2026-01-31T12:00:00.123Z","process":"...","pid":...
 * A line that is too long loses its last fields, never its shape.
 * Does not: rotate, buffer, format, or decide what is secret: callers give only what may be read by anyone.
 */
#ifndef TG_DAEMON_LOG_H
#define TG_DAEMON_LOG_H

#include <sys/types.h>

#include "base/buf.h"

#define TG_LOG_LINE_BYTES_MAX 2048

enum tg_log_level { TG_LOG_INFO = 1, TG_LOG_WARNING = 2, TG_LOG_ERROR = 3 };

/* path NULL: stderr. The file is appended to, made 0640. process is kept by reference. Call once, before threads. */
TG_MUST_CHECK enum tg_err tg_log_open(const char *process, const char *path);

/* Opens the file again by its path (SIGHUP); keeps the old one when that fails. Nothing to do for stderr. */
TG_MUST_CHECK enum tg_err tg_log_reopen(void);

/* Makes the log file the user's that we are about to become, so that SIGHUP can open it again. Best effort. */
void tg_log_give(uid_t uid, gid_t gid);

/* A line under construction, on the caller's stack; several threads may each have one. */
struct tg_log {
    struct tg_buf buf;
    uint8_t bytes[TG_LOG_LINE_BYTES_MAX];
};

void tg_log_begin(struct tg_log *line, enum tg_log_level level, const char *event);
void tg_log_string(struct tg_log *line, const char *name, const char *value);
void tg_log_span(struct tg_log *line, const char *name, struct tg_span value);
void tg_log_number(struct tg_log *line, const char *name, int64_t value);
void tg_log_end(struct tg_log *line);

/* A whole line with one "text" member. */
void tg_log_say(enum tg_log_level level, const char *event, const char *text);

/* The same with "what" (often a path) and the name of an errno value ("ENOENT"). */
void tg_log_errno(const char *event, const char *what, int error);

/* The line {"event":"ready",...} to the log, and to stdout when the log is a file: whoever started us waits for it. */
void tg_log_ready(const char *text);

#endif
