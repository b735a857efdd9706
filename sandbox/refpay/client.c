/*
 * client.c - asks the control socket and prints what it says.
 *
 * Promises: see client.h.
 */
#include "client.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/span.h"

#define ANSWER_BYTES_FIRST 65536
#define ANSWER_BYTES_MAX (64u * 1024u * 1024u) /* a page of postings is under one megabyte */
#define WAIT_S 30

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, path, len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval wait = {.tv_sec = WAIT_S};
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
                    connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* One line, parsed. */
static json_t *read_answer(int fd)
{
    size_t cap = ANSWER_BYTES_FIRST, len = 0;
    char *room = malloc(cap);
    json_t *answer = NULL;
    while (room != NULL) {
        if (len == cap) {
            char *more = cap >= ANSWER_BYTES_MAX ? NULL : realloc(room, cap * 2);
            if (more == NULL) {
                break;
            }
            room = more;
            cap *= 2;
        }
        ssize_t got = read(fd, room + len, cap - len);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
        if (room[len - 1] == '\n') {
            answer = json_loadb(room, len, 0, NULL);
            break;
        }
    }
    free(room);
    return answer;
}

/* The result, owned by the caller; NULL after a message on stderr. Takes the question over. */
static json_t *ask(int fd, json_t *question)
{
    char *text = json_dumps(question, JSON_COMPACT);
    json_decref(question);
    json_t *answer = NULL;
    size_t len = text == NULL ? 0 : strlen(text);
    if (text != NULL) {
        text[len++] = '\n';
        if (write(fd, text, len) == (ssize_t)len) {
            answer = read_answer(fd);
        }
    }
    free(text);
    if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *error = json_string_value(json_object_get(answer, "error"));
        fprintf(stderr, "refpay: %s\n", error != NULL ? error : "no answer from the control socket");
        json_decref(answer);
        return NULL;
    }
    json_t *result = json_incref(json_object_get(answer, "result"));
    json_decref(answer);
    return result;
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL ? value : "";
}

/* All pages of one command, their rows under `name` joined in the first. */
static json_t *ask_pages(const struct tg_client_options *options, const char *command, const char *name,
                         const char *position)
{
    int fd = dial(options->control);
    if (fd < 0) {
        fprintf(stderr, "refpay: nobody listens at %s\n", options->control);
        return NULL;
    }
    json_t *all = NULL;
    json_int_t next = 0;
    do {
        json_t *page = ask(
            fd, json_pack("{s:s, s:I, s:b}", "command", command, position, next, "summary", options->summary ? 1 : 0));
        if (page == NULL) {
            json_decref(all);
            all = NULL;
            break;
        }
        next = number(page, "next");
        if (all == NULL) {
            all = page;
        } else {
            json_array_extend(json_object_get(all, name), json_object_get(page, name));
            json_decref(page);
        }
    } while (next != 0);
    close(fd);
    json_object_del(all, "next");
    return all;
}

static void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    printf("\n");
}

static void print_postings(const json_t *postings)
{
    size_t i, j;
    json_t *posting, *entry;
    json_array_foreach(postings, i, posting)
    {
        printf("%8" JSON_INTEGER_FORMAT "  %-9s  %s  %s\n", number(posting, "id"), text(posting, "kind"),
               text(posting, "payment"), text(posting, "request_id"));
        json_array_foreach(json_object_get(posting, "entries"), j, entry)
        {
            printf("          %+14" JSON_INTEGER_FORMAT " %s  %s\n", number(entry, "amount"), text(posting, "currency"),
                   text(entry, "account"));
        }
    }
}

static void print_ledger(const json_t *book)
{
    size_t i;
    json_t *row;
    const char *name;
    printf("balances\n");
    json_array_foreach(json_object_get(book, "balances"), i, row)
    {
        printf("  %14" JSON_INTEGER_FORMAT " %s  %s\n", number(row, "balance"), text(row, "currency"),
               text(row, "account"));
    }
    printf("postings\n");
    print_postings(json_object_get(book, "postings"));
    printf("counts\n");
    json_t *counts = json_object_get(book, "counts");
    json_object_foreach(counts, name, row)
    {
        if (json_is_integer(row)) {
            printf("  %-10s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(row));
        }
    }
    json_t *credentials = json_object_get(book, "credentials");
    printf("  foreign credentials %" JSON_INTEGER_FORMAT ", refused requests %" JSON_INTEGER_FORMAT "\n",
           number(credentials, "foreign"), number(credentials, "refused"));
    printf("every posting sums to zero: %s\n", json_is_true(json_object_get(book, "sum_is_zero")) ? "yes" : "NO");
    printf("payments and postings agree: %s\n", json_is_true(json_object_get(counts, "agrees")) ? "yes" : "NO");
}

int tg_client_ledger(const struct tg_client_options *options)
{
    json_t *book = ask_pages(options, "ledger", "postings", "after");
    if (book == NULL) {
        return 1;
    }
    if (options->json) {
        print_json(book);
    } else {
        print_ledger(book);
    }
    bool sound = json_is_true(json_object_get(book, "sum_is_zero")) &&
                 json_is_true(json_object_get(json_object_get(book, "counts"), "agrees"));
    json_decref(book);
    return sound ? 0 : 3;
}

int tg_client_payments(const struct tg_client_options *options)
{
    json_t *all = ask_pages(options, "payments", "payments", "before");
    if (all == NULL) {
        return 1;
    }
    if (options->json) {
        print_json(all);
    } else {
        size_t i;
        json_t *row;
        json_array_foreach(json_object_get(all, "payments"), i, row)
        {
            printf("%s  %-10s %" JSON_INTEGER_FORMAT " %s  captured %" JSON_INTEGER_FORMAT
                   "  refunded %" JSON_INTEGER_FORMAT "  %s\n",
                   text(row, "id"), text(row, "status"), number(row, "amount"), text(row, "currency"),
                   number(row, "captured"), number(row, "refunded"), text(row, "request_id"));
        }
    }
    json_decref(all);
    return 0;
}

int tg_client_fault(const struct tg_client_options *options)
{
    int fd = dial(options->control);
    if (fd < 0) {
        fprintf(stderr, "refpay: nobody listens at %s\n", options->control);
        return 1;
    }
    struct tg_span kind = tg_span_string(options->kind);
    json_t *question;
    if (tg_span_equal(kind, TG_SPAN("list"))) {
        question = json_pack("{s:s}", "command", "faults");
    } else if (tg_span_equal(kind, TG_SPAN("clear"))) {
        question = json_pack("{s:s}", "command", "clear");
    } else {
        question = json_pack("{s:s, s:s, s:I, s:I, s:s}", "command", "fault", "kind", options->kind, "count",
                             (json_int_t)options->count, "delay_ms", (json_int_t)options->delay_ms, "operation",
                             options->operation != NULL ? options->operation : "");
    }
    json_t *result = question == NULL ? NULL : ask(fd, question);
    close(fd);
    if (result == NULL) {
        return 1;
    }
    json_dumpf(result, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    printf("\n");
    json_decref(result);
    return 0;
}
