/*
 * admin.c - see admin.h. Blocking socket with timeouts: the operator waits anyway.
 */
#include "cli/admin.h"

#include "cli/command.h"
#include "crypto/crypto.h"
#include "wire/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define INPUT_BYTES (TG_FRAME_HEADER_BYTES + TG_FRAME_BODY_BYTES_MAX)

enum tg_err tg_admin_open(const struct tg_instance *instance, bool quiet, struct tg_admin *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {TG_ADMIN_WAIT_MS / 1000, 0};
    char path[TG_PATH_BYTES_MAX];
    size_t len = strlen(tg_instance_path(instance, "run/admin.sock", path));
    int fd;

    memset(ret, 0, sizeof(*ret));
    ret->fd = -1;
    if (len >= sizeof(address.sun_path)) {
        return TG_ERR_LIMIT;
    }
    memcpy(address.sun_path, path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = errno;

        if (fd >= 0) {
            (void)close(fd);
        }
        if (!quiet) {
            tg_complain("the keeper cannot be reached at %s: %s. %s", path, strerror(error),
                        error == EACCES ? "Call as root, or as the user that started it"
                                        : "Is the instance up? See: tollgate doctor");
        }
        return TG_ERR_DOWN;
    }
    ret->fd = fd;
    ret->input = malloc(INPUT_BYTES);
    if (ret->input == NULL) {
        tg_admin_close(ret);
        return TG_ERR_ROOM;
    }
    return TG_OK;
}

void tg_admin_close(struct tg_admin *admin)
{
    if (admin->fd >= 0) {
        (void)close(admin->fd);
    }
    free(admin->input);
    admin->fd = -1;
    admin->input = NULL;
}

static enum tg_err question_send(struct tg_admin *admin, json_t *question)
{
    char *text = json_dumps(question, JSON_COMPACT);
    size_t len = text == NULL ? 0 : strlen(text);
    uint8_t *frame = malloc(TG_FRAME_HEADER_BYTES + len + 1);
    struct tg_buf out = tg_buf(frame, frame == NULL ? 0 : TG_FRAME_HEADER_BYTES + len);
    enum tg_err err = TG_ERR_ROOM;
    size_t sent = 0;

    if (text != NULL && frame != NULL) {
        tg_bytes_write(&out, TG_FRAME_ADMIN, 0, ++admin->turn, tg_span(text, len));
        err = tg_buf_done(&out);
    }
    while (err == TG_OK && sent < out.len) {
        ssize_t done = send(admin->fd, out.ptr + sent, out.len - sent, MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            err = TG_ERR_DOWN;
        } else {
            sent += (size_t)done;
        }
    }
    if (frame != NULL) {
        tg_wipe(frame, TG_FRAME_HEADER_BYTES + len);
    }
    if (text != NULL) {
        tg_wipe(text, len);
    }
    free(frame);
    free(text);
    return err;
}

/* The next answer frame of our turn as JSON. */
static enum tg_err answer_receive(struct tg_admin *admin, size_t *have, json_t **ret)
{
    struct tg_frame frame;
    size_t used = 0;
    json_error_t error;

    for (;;) {
        enum tg_err err = tg_frame_read(TG_ROLE_KEEPER, tg_span(admin->input, *have), &frame, &used);
        ssize_t got;

        if (err == TG_OK) {
            break;
        }
        if (err != TG_ERR_ROOM || *have == INPUT_BYTES) {
            return TG_ERR_INPUT;
        }
        got = recv(admin->fd, admin->input + *have, INPUT_BYTES - *have, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return TG_ERR_DOWN;
        }
        *have += (size_t)got;
    }
    *ret = frame.type == TG_FRAME_ADMIN_ANSWER && frame.turn == admin->turn
               ? json_loadb((const char *)frame.body.ptr, frame.body.len, JSON_REJECT_DUPLICATES, &error)
               : NULL;
    memmove(admin->input, admin->input + used, *have - used);
    *have -= used;
    return json_is_object(*ret) ? TG_OK : TG_ERR_INPUT;
}

/* Joins a further part's result: arrays grow, objects take over members whose arrays grow. */
static json_t *result_join(json_t *before, json_t *more)
{
    const char *name;
    json_t *value;

    if (before == NULL) {
        return more;
    }
    if (json_is_array(before) && json_is_array(more)) {
        (void)json_array_extend(before, more);
    } else if (json_is_object(before) && json_is_object(more)) {
        json_object_foreach(more, name, value) {
            json_t *there = json_object_get(before, name);

            if (json_is_array(there) && json_is_array(value)) {
                (void)json_array_extend(there, value);
            } else {
                (void)json_object_set(before, name, value);
            }
        }
    }
    json_decref(more);
    return before;
}

enum tg_err tg_admin_try(struct tg_admin *admin, const char *command, json_t *arguments, json_t **result, char *why,
                         size_t why_size)
{
    json_t *question = json_pack("{s:s, s:o}", "command", command, "arguments",
                                 arguments == NULL ? json_object() : arguments);
    enum tg_err err = question == NULL ? TG_ERR_ROOM : question_send(admin, question);
    json_t *joined = NULL;
    size_t have = 0;
    bool more = true;

    *result = NULL;
    json_decref(question);
    (void)snprintf(why, why_size, "the keeper does not answer");
    while (err == TG_OK && more) {
        json_t *answer = NULL;
        json_t *part;

        err = answer_receive(admin, &have, &answer);
        if (err != TG_OK) {
            break;
        }
        if (!json_is_true(json_object_get(answer, "ok"))) {
            const char *text = json_string_value(json_object_get(answer, "text"));
            const char *word = json_string_value(json_object_get(answer, "error"));

            (void)snprintf(why, why_size, "%s", text != NULL ? text : word != NULL ? word : "refused");
            err = TG_ERR_DENIED;
        }
        more = json_is_true(json_object_get(answer, "more"));
        part = json_object_get(answer, "result");
        if (part == NULL) {
            part = json_object_get(answer, "text"); /* metrics */
        }
        if (err == TG_OK && part != NULL) {
            joined = result_join(joined, json_incref(part));
        }
        json_decref(answer);
    }
    if (err != TG_OK) {
        json_decref(joined);
        return err;
    }
    *result = joined == NULL ? json_null() : joined;
    return TG_OK;
}

enum tg_err tg_admin_ask(struct tg_admin *admin, const char *command, json_t *arguments, json_t **result)
{
    char why[400];
    enum tg_err err = tg_admin_try(admin, command, arguments, result, why, sizeof(why));

    if (err != TG_OK) {
        tg_complain("%s: %s", command, why);
    }
    return err;
}

int tg_admin_once(const struct tg_arguments *arguments, const char *command, json_t *body, json_t **result)
{
    struct tg_instance instance;
    struct tg_admin admin;
    enum tg_err err;

    *result = NULL;
    if (tg_instance_open(arguments, NULL, &instance) != TG_OK) {
        json_decref(body);
        return TG_EXIT_REFUSED;
    }
    if (tg_admin_open(&instance, false, &admin) != TG_OK) {
        json_decref(body);
        return TG_EXIT_UNREACHABLE;
    }
    err = tg_admin_ask(&admin, command, body, result);
    tg_admin_close(&admin);
    if (err == TG_OK) {
        return TG_EXIT_OK;
    }
    return err == TG_ERR_DENIED ? TG_EXIT_REFUSED : TG_EXIT_UNREACHABLE;
}
