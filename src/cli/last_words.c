/*
 * last_words.c - see last_words.h.
 */
#include "cli/last_words.h"

#include "cli/command.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define LOG_BYTES_MAX 8192 /* of the end of a log: some forty lines */
#define WORDS_MAX 3        /* the fault and what followed from it */
#define WORD_BYTES_MAX 400

/* One line of the log as "event: text", or false: another process, or nothing to say. */
static bool line_read(struct tg_span line, pid_t pid, char ret[WORD_BYTES_MAX])
{
    static const unsigned char control_lead = 0xc2; /* of U+0080 to U+009F, which some terminals obey */
    json_t *root = json_loadb((const char *)line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(root, "event"));
    const char *text = json_string_value(json_object_get(root, "text"));
    bool found = event != NULL && json_integer_value(json_object_get(root, "pid")) == pid;
    char *at;

    if (text == NULL || text[0] == '\0') {
        text = json_string_value(json_object_get(root, "error"));
    }
    found = found && text != NULL && text[0] != '\0';
    if (found) {
        (void)snprintf(ret, WORD_BYTES_MAX, "%s: %s", event, text);
        for (at = ret; *at != '\0'; at++) {
            bool control = (unsigned char)at[0] == control_lead && (unsigned char)at[1] >= 0x80 &&
                           (unsigned char)at[1] < 0xa0;

            if (control) {
                at[1] = '?';
            }
            if (control || (unsigned char)*at < ' ' || *at == 0x7f) {
                *at = '?';
            }
        }
    }
    json_decref(root);
    return found;
}

void tg_last_words_find(struct tg_span log, pid_t pid, struct tg_buf *out)
{
    char words[WORDS_MAX][WORD_BYTES_MAX];
    size_t count = 0;

    while (log.len > 0 && count < WORDS_MAX) {
        size_t begin;

        log.len -= log.ptr[log.len - 1] == '\n' ? 1 : 0;
        for (begin = log.len; begin > 0 && log.ptr[begin - 1] != '\n'; begin--) {
        }
        count += line_read(tg_span(log.ptr + begin, log.len - begin), pid, words[count]) ? 1 : 0;
        log.len = begin;
    }
    while (count > 0) {
        tg_buf_put_string(out, words[--count]);
        tg_buf_put_string(out, "\n");
    }
}

/* The end of a log. Its owner is the daemon: neither its size nor its kind is taken on trust. */
static size_t end_read(const char *path, uint8_t text[LOG_BYTES_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    ssize_t got = -1;

    if (size >= 0) {
        got = pread(fd, text, LOG_BYTES_MAX, size > LOG_BYTES_MAX ? size - LOG_BYTES_MAX : 0);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return got < 0 ? 0 : (size_t)got;
}

void tg_last_words_say(const struct tg_instance *instance, enum tg_service service, pid_t pid)
{
    uint8_t text[LOG_BYTES_MAX];
    char words[WORDS_MAX * (WORD_BYTES_MAX + 1) + 1];
    struct tg_buf out = tg_buf(words, sizeof(words) - 1);
    char name[32];
    char path[TG_PATH_BYTES_MAX];
    char *line = words;

    (void)snprintf(name, sizeof(name), "log/%s.log", tg_service_name(service));
    tg_last_words_find(tg_span(text, end_read(tg_instance_path(instance, name, path), text)), pid, &out);
    if (out.len == 0) {
        /* It ended before it had a log of its own. */
        tg_last_words_find(tg_span(text, end_read(tg_instance_path(instance, "log/up.log", path), text)), pid, &out);
    }
    words[out.len] = '\0';
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");

        tg_complain("  %.*s", (int)len, line);
        line += len + 1;
    }
}
