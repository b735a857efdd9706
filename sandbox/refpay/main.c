/*
 * main.c - refpay's command line.
 *
 * Promises: wrong use is exit code 2 and a line on stderr; nothing is started then.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "client.h"
#include "daemon/daemon.h"
#include "fault.h"
#include "serve.h"

#define EXIT_USE 2

static const char help[] =
    "refpay - a small payment processor and bank with a double-entry ledger, for trying out Tollgate\n"
    "\n"
    "  refpay serve --listen ADDRESS:PORT --control PATH --credential-file FILE\n"
    "               [--ledger FILE] [--webhook URL] [--pid FILE] [--log FILE] [--user NAME]\n"
    "  refpay ledger --control PATH [--json] [--summary]\n"
    "  refpay payments --control PATH [--json]\n"
    "  refpay fault --control PATH KIND [--count N] [--delay-ms N] [--operation NAME]\n"
    "  refpay fault --control PATH list | clear\n"
    "\n"
    "The only credential that is let in is \"Authorization: Bearer\" with the content of the credential file.\n"
    "An amount whose last two digits are 51 is declined, and so is the method pm_card_chargeDeclined.\n"
    "Nothing is idempotent: what arrives twice is done twice.\n"
    "\n"
    "Faults, for the next N requests of that operation (any, when none is named):\n"
    "  slow, reset_after_commit, garbage_status, cut_body, close_delimited, huge, early_hints, stall,\n"
    "  status_500_after_commit              the request acts, then the answer goes wrong\n"
    "  slow_before                          waits, then acts\n"
    "  reset_before, status_500, status_503, status_429   nothing is done\n"
    "  refuse_connect                       stops listening for --delay-ms, at once\n"
    "Operations: payment.create .read .list .capture .refund .void, note.create,\n"
    "  payment_intent.create .read .list .confirm .capture .cancel, refund.create .read\n"
    "\n"
    "ledger: exit code 3 when the book does not sum to zero.\n";

struct words {
    struct tg_serve_options serve;
    struct tg_client_options client;
};

enum {
    LISTEN = 256,
    CONTROL,
    CREDENTIAL,
    LEDGER,
    WEBHOOK,
    PID,
    LOG,
    USER,
    JSON,
    SUMMARY,
    COUNT,
    DELAY,
    OPERATION,
    HELP
};

static const struct option options[] = {
    {"listen", required_argument, NULL, LISTEN},
    {"control", required_argument, NULL, CONTROL},
    {"credential-file", required_argument, NULL, CREDENTIAL},
    {"ledger", required_argument, NULL, LEDGER},
    {"webhook", required_argument, NULL, WEBHOOK},
    {"pid", required_argument, NULL, PID},
    {"log", required_argument, NULL, LOG},
    {"user", required_argument, NULL, USER},
    {"json", no_argument, NULL, JSON},
    {"summary", no_argument, NULL, SUMMARY},
    {"count", required_argument, NULL, COUNT},
    {"delay-ms", required_argument, NULL, DELAY},
    {"operation", required_argument, NULL, OPERATION},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static int wrong(const char *text)
{
    fprintf(stderr, "refpay: %s; see refpay --help\n", text);
    return EXIT_USE;
}

static bool read_number(int64_t *ret, uint64_t max)
{
    uint64_t number;
    if (tg_daemon_number(optarg, max, &number) != TG_OK) {
        return false;
    }
    *ret = (int64_t)number;
    return true;
}

static bool read_option(int option, struct words *ret)
{
    switch (option) {
    case LISTEN:
        ret->serve.listen = optarg;
        return true;
    case CONTROL:
        ret->serve.control = ret->client.control = optarg;
        return true;
    case CREDENTIAL:
        ret->serve.credential_file = optarg;
        return true;
    case LEDGER:
        ret->serve.ledger = optarg;
        return true;
    case WEBHOOK:
        ret->serve.webhook = optarg;
        return true;
    case PID:
        ret->serve.pid = optarg;
        return true;
    case LOG:
        ret->serve.log = optarg;
        return true;
    case USER:
        ret->serve.user = optarg;
        return true;
    case JSON:
        ret->client.json = true;
        return true;
    case SUMMARY:
        ret->client.summary = true;
        return true;
    case COUNT:
        return read_number(&ret->client.count, TG_FAULT_COUNT_MAX);
    case DELAY:
        return read_number(&ret->client.delay_ms, TG_FAULT_DELAY_MS_MAX);
    case OPERATION:
        ret->client.operation = optarg;
        return true;
    default:
        return false;
    }
}

static int run(struct tg_span command, struct words *words, int left, char **rest)
{
    bool fault = tg_span_equal(command, TG_SPAN("fault"));
    if (words->client.control == NULL) {
        return wrong("--control is needed");
    }
    if (left != (fault ? 1 : 0)) {
        return wrong(fault ? "one kind of fault is needed" : "too many words");
    }
    if (fault) {
        words->client.kind = rest[0];
        return tg_client_fault(&words->client);
    }
    if (tg_span_equal(command, TG_SPAN("ledger"))) {
        return tg_client_ledger(&words->client);
    }
    if (tg_span_equal(command, TG_SPAN("payments"))) {
        return tg_client_payments(&words->client);
    }
    if (tg_span_equal(command, TG_SPAN("serve"))) {
        if (words->serve.listen == NULL || words->serve.credential_file == NULL) {
            return wrong("serve needs --listen and --credential-file");
        }
        return tg_serve(&words->serve);
    }
    return wrong("unknown command");
}

int main(int count, char **arguments)
{
    struct words words = {.client = {.count = 1}};
    int option;
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (!read_option(option, &words)) {
            return wrong("an option is not right");
        }
    }
    if (optind >= count) {
        return wrong("a command is needed");
    }
    return run(tg_span_string(arguments[optind]), &words, count - optind - 1, arguments + optind + 1);
}
