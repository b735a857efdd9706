/*
 * guard.c - see guard.h.
 */
#include "cli/guard.h"

#include "cli/file.h"
#include "cli/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_BYTES_MAX 8192
#define CHILDREN_BYTES_MAX 4096

/* The text after "NAME:" and blanks at a line's beginning, or NULL. */
static const char *member(const char *text, const char *name)
{
    size_t len = strlen(name);

    while (text != NULL && *text != '\0') {
        if (strncmp(text, name, len) == 0 && text[len] == ':') {
            return text + len + 1 + strspn(text + len + 1, " \t");
        }
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    return NULL;
}

static bool number(const char *text, const char *name, int word, int base, uint64_t *ret)
{
    const char *at = member(text, name);
    char *end = NULL;

    for (; at != NULL && word > 0; word--) {
        at += strcspn(at, " \t\n");
        at += strspn(at, " \t");
    }
    if (at == NULL) {
        return false;
    }
    errno = 0;
    *ret = strtoull(at, &end, base);
    return errno == 0 && end != at;
}

enum tg_err tg_guard_parse(const char *text, struct tg_guard *ret)
{
    uint64_t uid;
    uint64_t no_new_privs;
    uint64_t seccomp;

    memset(ret, 0, sizeof(*ret));
    /* "Uid: real effective saved file" */
    if (!number(text, "Uid", 1, 10, &uid) || !number(text, "NoNewPrivs", 0, 10, &no_new_privs) ||
        !number(text, "Seccomp", 0, 10, &seccomp) || !number(text, "CapEff", 0, 16, &ret->capabilities)) {
        return TG_ERR_ABSENT;
    }
    ret->uid = (uid_t)uid;
    ret->no_new_privs = no_new_privs == 1;
    ret->seccomp = (int)seccomp;
    return TG_OK;
}

enum tg_err tg_guard_read(pid_t pid, struct tg_guard *ret)
{
    char text[STATUS_BYTES_MAX];
    struct tg_buf buf = tg_buf(text, sizeof(text) - 1);
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (tg_file_read(path, false, &buf) != TG_OK) {
        return TG_ERR_ABSENT;
    }
    text[buf.len] = '\0';
    return tg_guard_parse(text, ret);
}

pid_t tg_guard_child(pid_t pid)
{
    char text[CHILDREN_BYTES_MAX];
    struct tg_buf buf = tg_buf(text, sizeof(text) - 1);
    char path[64];
    int64_t child = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (tg_file_read(path, false, &buf) != TG_OK) {
        return 0;
    }
    text[buf.len] = '\0';
    text[strcspn(text, " \n")] = '\0';
    return tg_number_parse(text, &child) == TG_OK && child > 1 && child <= INT32_MAX ? (pid_t)child : 0;
}
