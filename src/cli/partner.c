/*
 * partner.c - `tollgate partner`: partners, their limits and their client certificates.
 *
 * Does not: know policy; the keeper refuses what is not allowed and says why.
 */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/table.h"
#include "core/payment/money.h"
#include "crypto/x509.h"

#include <string.h>
#include <time.h>

const struct tg_option tg_options_partner_add[] = {TG_OPTION_HELP, TG_OPTION_INSTANCE, TG_OPTION_END};

const struct tg_option tg_options_limit_set[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"environment", 0, TG_OPTION_TEXT, "test|live", "which of the partner's two worlds (test)"},
    {"currency", 0, TG_OPTION_TEXT, "CODE", "ISO 4217, as EUR"},
    {"payment-max", 0, TG_OPTION_TEXT, "N", "most that one payment may come to, in minor units"},
    {"day-max", 0, TG_OPTION_TEXT, "N", "most that one UTC day may come to; 0: no such limit (what is set already, else 0)"},
    TG_OPTION_END,
};

const struct tg_option tg_options_certificate_add[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"partner", 0, TG_OPTION_TEXT, "NAME", "whose certificate"},
    {"file", 0, TG_OPTION_TEXT, "FILE", "PEM; the first certificate in it counts"},
    TG_OPTION_END,
};

static int print_result(int code, json_t *result, const char *said)
{
    if (code == TG_EXIT_OK) {
        (void)printf("%s\n", said);
    }
    json_decref(result);
    return code;
}

/* Asks a list command, for one partner where --partner or the word says so, and prints it. */
static int list(struct tg_arguments *arguments, const char *command, const char *const *columns)
{
    const char *partner = tg_arguments_text(arguments, "partner");
    json_t *body = json_object();
    json_t *result;
    int code;

    if (partner != NULL) {
        (void)json_object_set_new(body, "partner", json_string(partner));
    }
    code = tg_admin_once(arguments, command, body, &result);
    if (code == TG_EXIT_OK) {
        tg_rows_print(result, tg_arguments_flag(arguments, "json"), columns);
    }
    return code;
}

int tg_command_partner_add(struct tg_arguments *arguments)
{
    json_t *result;
    int code = tg_admin_once(arguments, "partner.add", json_pack("{s:s}", "name", tg_arguments_word(arguments, 0)),
                             &result);

    return print_result(code, result, "added; it may move no money until it has limits: tollgate partner limit set");
}

int tg_command_partner_list(struct tg_arguments *arguments)
{
    static const char *const columns[] = {"id", "name", NULL};

    return list(arguments, "partner.list", columns);
}

/* The day's limit that is set already, or 0: a new limit of one payment must not open the day. */
static int day_max_read(const struct tg_arguments *arguments, const char *environment, const char *currency,
                        int64_t *day_max)
{
    json_t *result;
    int code = tg_admin_once(arguments, "limit.show", json_pack("{s:s}", "partner", tg_arguments_word(arguments, 0)),
                             &result);
    const json_t *rows = tg_rows_of(result);
    size_t i;

    for (i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        if (strcmp(json_string_value(json_object_get(row, "environment")), environment) == 0 &&
            strcmp(json_string_value(json_object_get(row, "currency")), currency) == 0) {
            *day_max = json_integer_value(json_object_get(row, "day_max"));
        }
    }
    json_decref(result);
    return code;
}

static void limit_say(const char *environment, const char *currency, int64_t payment_max, int64_t day_max)
{
    (void)printf("set: %s %s, in minor units: one payment at most %lld, a UTC day ", environment, currency,
                 (long long)payment_max);
    if (day_max == 0) {
        (void)printf("without a limit\n");
    } else {
        (void)printf("at most %lld\n", (long long)day_max);
    }
}

int tg_command_limit_set(struct tg_arguments *arguments)
{
    const char *environment = tg_arguments_text_or(arguments, "environment", "test");
    const char *currency = tg_arguments_text(arguments, "currency");
    int64_t payment_max = -1;
    int64_t day_max = -1;
    json_t *result;
    int code = TG_EXIT_OK;

    if (currency == NULL) {
        return tg_usage("partner limit set: --currency CODE is needed");
    }
    if (tg_arguments_number(arguments, "payment-max", 0, TG_AMOUNT_MINOR_MAX, &payment_max) != TG_OK ||
        tg_arguments_number(arguments, "day-max", 0, TG_AMOUNT_MINOR_MAX, &day_max) != TG_OK) {
        return tg_usage("partner limit set: %s, in minor units: 1050 is 10.50 EUR", arguments->why);
    }
    if (payment_max < 0) {
        return tg_usage("partner limit set: --payment-max N is needed, in minor units");
    }
    if (day_max < 0) {
        day_max = 0;
        code = day_max_read(arguments, environment, currency, &day_max);
    }
    if (code != TG_EXIT_OK) {
        return code;
    }
    code = tg_admin_once(arguments, "limit.set",
                         json_pack("{s:s, s:s, s:s, s:I, s:I}", "partner", tg_arguments_word(arguments, 0),
                                   "environment", environment, "currency", currency, "payment_max",
                                   (json_int_t)payment_max, "day_max", (json_int_t)day_max),
                         &result);
    json_decref(result);
    if (code == TG_EXIT_OK) {
        limit_say(environment, currency, payment_max, day_max);
    }
    return code;
}

int tg_command_limit_show(struct tg_arguments *arguments)
{
    static const char *const columns[] = {"partner", "environment", "currency", "payment_max", "day_max", NULL};

    return list(arguments, "limit.show", columns);
}

int tg_command_certificate_add(struct tg_arguments *arguments)
{
    const char *partner = tg_arguments_text(arguments, "partner");
    const char *file = tg_arguments_text(arguments, "file");
    uint8_t pem[TG_PEM_BYTES_MAX * 4];
    uint8_t sha256[32];
    char hex[64];
    struct tg_buf buf = tg_buf(pem, sizeof(pem));
    struct tg_buf out = tg_buf(hex, sizeof(hex));
    int64_t not_after_s = 0;
    json_t *result;
    int code;

    if (partner == NULL || file == NULL) {
        return tg_usage("partner certificate add: --partner NAME and --file FILE are needed");
    }
    if (tg_file_read(file, true, &buf) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    if (tg_x509_fingerprint(tg_buf_span(&buf), sha256, &not_after_s) != TG_OK) {
        tg_complain("%s holds no PEM certificate", file);
        return TG_EXIT_REFUSED;
    }
    if (not_after_s <= (int64_t)time(NULL)) {
        tg_complain("the certificate in %s has ended: ask the partner for a new one", file);
        return TG_EXIT_REFUSED;
    }
    tg_buf_put_hex(&out, tg_span(sha256, sizeof(sha256)));
    if (tg_buf_done(&out) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    code = tg_admin_once(arguments, "certificate.add",
                         json_pack("{s:s, s:s#, s:I}", "partner", partner, "sha256", hex, (int)sizeof(hex),
                                   "not_after_s", (json_int_t)not_after_s),
                         &result);
    return print_result(code, result, "bound; the partner's keys now work only with one of its certificates");
}

int tg_command_certificate_list(struct tg_arguments *arguments)
{
    static const char *const columns[] = {"partner", "sha256", "not_after_s", NULL};

    return list(arguments, "certificate.list", columns);
}
