/*
 * gate_page.c - see gate_page.h: HTTP/1.0 without a library, since the page is ours and the peer is this machine.
 */
#include "cli/gate_page.h"

#include "cli/option.h"
#include "cli/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The gate's and the keeper's counters together (gate/status.c, gate/zone.h). */
#define PAGE_BYTES_MAX (128u * 1024u)
/* The gate itself waits a second for the keeper at most. */
#define PAGE_WAIT_S 3

/* The number in the line "NAME NUMBER". */
static bool gauge(const char *text, const char *name, int64_t *ret)
{
    size_t len = strlen(name);
    char word[24];

    for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, len) == 0 && at[len] == ' ') {
            size_t count = strcspn(at + len + 1, "\r\n");

            if (count >= sizeof(word)) {
                return false;
            }
            memcpy(word, at + len + 1, count);
            word[count] = '\0';
            return tg_number_parse(word, ret) == TG_OK;
        }
    }
    return false;
}

enum tg_err tg_gate_said_parse(struct tg_span page, struct tg_gate_said *ret)
{
    char *text = malloc(page.len + 1);
    bool found;

    memset(ret, 0, sizeof(*ret));
    if (text == NULL) {
        return TG_ERR_ROOM;
    }
    if (page.len > 0) {
        memcpy(text, page.ptr, page.len);
    }
    text[page.len] = '\0';
    found = gauge(text, "tollgate_gate_guard_landlock_level", &ret->landlock) &&
            gauge(text, "tollgate_gate_guard_dumpable", &ret->dumpable);
    free(text);
    return found ? TG_OK : TG_ERR_DOWN;
}

enum tg_err tg_gate_ask(const struct tg_instance *instance, struct tg_gate_said *ret)
{
    static const char question[] = "GET /tollgate/status HTTP/1.0\r\n\r\n";
    const struct timeval wait = {PAGE_WAIT_S, 0};
    char *page = malloc(PAGE_BYTES_MAX);
    int fd = tg_address_connect(instance->status_listen);
    enum tg_err err = TG_ERR_DOWN;
    size_t len = 0;
    ssize_t got = 1;

    memset(ret, 0, sizeof(*ret));
    if (page != NULL && fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
        send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(question) - 1) {
        while (got > 0 && len < PAGE_BYTES_MAX) {
            got = recv(fd, page + len, PAGE_BYTES_MAX - len, 0);
            len += got > 0 ? (size_t)got : 0;
        }
        err = tg_gate_said_parse(tg_span(page, len), ret);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(page);
    return err;
}
