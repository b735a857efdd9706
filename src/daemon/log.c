/*
 * log.c - JSON lines.
 *
 * Promises: as log.h. Nothing is kept between lines but the descriptor, so that a line costs one write and a
 * crash loses none.
 * Does not: report its own failure: a full disk must not stop a payment's answer.
 */
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

/* Kept free at the end of each line for the closing brace and line end. */
#define CLOSING_BYTES 2

static const char *process_name = "daemon";
static const char *file_path;
static atomic_int log_fd = STDERR_FILENO;

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
}

enum tg_err tg_log_open(const char *process, const char *path)
{
    process_name = process;
    if (path == NULL) {
        return TG_OK;
    }
    int fd = open_file(path);
    if (fd < 0) {
        tg_log_errno("log_not_opened", path, errno);
        return TG_ERR_DENIED;
    }
    file_path = path;
    atomic_store(&log_fd, fd);
    return TG_OK;
}

enum tg_err tg_log_reopen(void)
{
    if (file_path == NULL) {
        return TG_OK;
    }
    int fd = open_file(file_path);
    if (fd < 0) {
        tg_log_errno("log_not_reopened", file_path, errno);
        return TG_ERR_DENIED;
    }
    /* Over the same number: a thread that is just writing never meets a closed descriptor. */
    if (dup3(fd, atomic_load(&log_fd), O_CLOEXEC) < 0) {
        close(fd);
        return TG_ERR_BUG;
    }
    close(fd);
    return TG_OK;
}

void tg_log_give(uid_t uid, gid_t gid)
{
    if (file_path != NULL && fchown(atomic_load(&log_fd), uid, gid) != 0) {
        tg_log_errno("log_not_given", file_path, errno);
    }
}

/* RFC 8259 7; bytes over 7e become \u00XX, so that no encoding is guessed. */
static void put_escaped(struct tg_buf *buf, struct tg_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.ptr[i];
        if (byte == '"' || byte == '\\') {
            tg_buf_put_u8(buf, '\\');
            tg_buf_put_u8(buf, byte);
        } else if (byte < 0x20 || byte > 0x7e) {
            tg_buf_put(buf, TG_SPAN("\\u00"));
            tg_buf_put_hex(buf, tg_span(&byte, 1));
        } else {
            tg_buf_put_u8(buf, byte);
        }
    }
}

/* Takes back a member that did not fit, so that the line stays whole. */
static void keep_or_drop(struct tg_log *line, size_t before)
{
    if (line->buf.over) {
        line->buf.len = before;
        line->buf.over = false;
    }
}

void tg_log_span(struct tg_log *line, const char *name, struct tg_span value)
{
    size_t before = line->buf.len;
    tg_buf_put_string(&line->buf, before == 1 ? "\"" : ",\"");
    tg_buf_put_string(&line->buf, name);
    tg_buf_put_string(&line->buf, "\":\"");
    put_escaped(&line->buf, value);
    tg_buf_put_u8(&line->buf, '"');
    keep_or_drop(line, before);
}

void tg_log_string(struct tg_log *line, const char *name, const char *value)
{
    tg_log_span(line, name, tg_span_string(value));
}

void tg_log_number(struct tg_log *line, const char *name, int64_t value)
{
    size_t before = line->buf.len;
    tg_buf_put_string(&line->buf, ",\"");
    tg_buf_put_string(&line->buf, name);
    tg_buf_put_string(&line->buf, "\":");
    tg_buf_put_decimal(&line->buf, value);
    keep_or_drop(line, before);
}

/* value in at least `width` digits. */
static void put_padded(struct tg_buf *buf, int64_t value, int64_t width_power)
{
    for (int64_t power = width_power; power > 1 && value < power; power /= 10) {
        tg_buf_put_u8(buf, '0');
    }
    tg_buf_put_decimal(buf, value);
}

/* RFC 3339 in UTC with milliseconds. */
static void put_time(struct tg_log *line)
{
    uint8_t bytes[40];
    struct tg_buf text = tg_buf(bytes, sizeof(bytes));
    struct timespec now = {0};
    struct tm parts = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    put_padded(&text, parts.tm_year + 1900, 1000);
    tg_buf_put_u8(&text, '-');
    put_padded(&text, parts.tm_mon + 1, 10);
    tg_buf_put_u8(&text, '-');
    put_padded(&text, parts.tm_mday, 10);
    tg_buf_put_u8(&text, 'T');
    put_padded(&text, parts.tm_hour, 10);
    tg_buf_put_u8(&text, ':');
    put_padded(&text, parts.tm_min, 10);
    tg_buf_put_u8(&text, ':');
    put_padded(&text, parts.tm_sec, 10);
    tg_buf_put_u8(&text, '.');
    put_padded(&text, now.tv_nsec / 1000000, 100);
    tg_buf_put_u8(&text, 'Z');
    tg_log_span(line, "time", tg_buf_span(&text));
}

void tg_log_begin(struct tg_log *line, enum tg_log_level level, const char *event)
{
    line->buf = tg_buf(line->bytes, sizeof(line->bytes) - CLOSING_BYTES);
    tg_buf_put_u8(&line->buf, '{');
    tg_log_string(line, "event", event);
    tg_log_string(line, "level", level == TG_LOG_INFO ? "info" : (level == TG_LOG_WARNING ? "warning" : "error"));
    put_time(line);
    tg_log_string(line, "process", process_name);
    tg_log_number(line, "pid", getpid());
}

/* The whole line in as few writes as the kernel needs. */
static void write_line(int fd, const struct tg_log *line)
{
    size_t done = 0;
    while (done < line->buf.len) {
        ssize_t wrote = write(fd, line->bytes + done, line->buf.len - done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return;
        }
        done += (size_t)wrote;
    }
}

/* Closes the object, in the room kept for it. */
static void close_line(struct tg_log *line)
{
    line->buf.cap += CLOSING_BYTES;
    tg_buf_put(&line->buf, TG_SPAN("}\n"));
}

void tg_log_end(struct tg_log *line)
{
    int error = errno; /* callers log on their way out and look at errno afterwards */
    close_line(line);
    write_line(atomic_load(&log_fd), line);
    errno = error;
}

void tg_log_say(enum tg_log_level level, const char *event, const char *text)
{
    struct tg_log line;
    tg_log_begin(&line, level, event);
    tg_log_string(&line, "text", text);
    tg_log_end(&line);
}

void tg_log_errno(const char *event, const char *what, int error)
{
    struct tg_log line;
    const char *name = strerrorname_np(error);
    tg_log_begin(&line, TG_LOG_ERROR, event);
    tg_log_string(&line, "what", what);
    tg_log_string(&line, "error", name == NULL ? "unknown" : name);
    tg_log_end(&line);
}

void tg_log_ready(const char *text)
{
    struct tg_log line;
    tg_log_begin(&line, TG_LOG_INFO, "ready");
    tg_log_string(&line, "text", text);
    tg_log_end(&line);
    if (file_path != NULL) {
        write_line(STDOUT_FILENO, &line);
    }
}
