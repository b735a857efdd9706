/*
 * conf_scan.c - see conf_scan.h.
 */
#include "cli/conf_scan.h"

#include <string.h>

static void skip(struct tg_conf_scan *scan, size_t count)
{
    scan->rest = tg_span_sub(scan->rest, count, scan->rest.len);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_end(uint8_t byte)
{
    return byte == ';' || byte == '{' || byte == '}';
}

/* One word into `into`, which may be NULL; quotes are taken off. */
static void word_read(struct tg_conf_scan *scan, char *into)
{
    uint8_t quote = *scan->rest.ptr == '"' || *scan->rest.ptr == '\'' ? *scan->rest.ptr : 0;
    size_t len = 0;

    skip(scan, quote != 0 ? 1 : 0);
    while (scan->rest.len > 0) {
        uint8_t byte = *scan->rest.ptr;

        if (quote != 0 ? byte == quote : is_blank(byte) || is_end(byte)) {
            skip(scan, quote != 0 ? 1 : 0);
            break;
        }
        if (byte == '\\' && scan->rest.len > 1) {
            skip(scan, 1);
            byte = *scan->rest.ptr;
        }
        if (into != NULL && len + 1 < TG_CONF_WORD_BYTES_MAX) {
            into[len++] = (char)byte;
        }
        skip(scan, 1);
    }
    if (into != NULL) {
        into[len] = '\0';
    }
}

bool tg_conf_scan_next(struct tg_conf_scan *scan)
{
    scan->count = 0;
    while (scan->rest.len > 0) {
        uint8_t byte = *scan->rest.ptr;

        if (is_blank(byte)) {
            skip(scan, 1);
        } else if (byte == '#') {
            skip(scan, tg_span_find(scan->rest, '\n'));
        } else if (is_end(byte)) {
            skip(scan, 1);
            if (scan->count > 0) {
                return true;
            }
        } else if (scan->count < TG_CONF_WORDS_MAX) {
            word_read(scan, scan->words[scan->count]);
            scan->count++;
        } else {
            word_read(scan, NULL);
        }
    }
    return scan->count > 0;
}

bool tg_conf_scan_is(const struct tg_conf_scan *scan, const char *name)
{
    return scan->count > 0 && strcmp(scan->words[0], name) == 0;
}
