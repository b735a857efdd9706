/*
 * tour.c - `tollgate tour`: drives a running sandbox instance through tour_steps.c and compares.
 *
 * Promises: each line shows what was sent, the status, the reason, the time and whether it was as expected; exit
 * code 0 only when every line was. Works on instances that have been toured before: its keys are fresh each time.
 */
#include "cli/tour.h"

#include "cli/command.h"
#include "cli/program.h"
#include "cli/reconcile.h"
#include "cli/service.h"
#include "core/http/field.h"
#include "crypto/crypto.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TOUR_TWIN_DELAY_MS "700"  /* how long the first is held up: the twin must arrive meanwhile */
#define TOUR_TWIN_LATER_MS 250
#define TOUR_BOOK_BYTES (4u * 1024u * 1024u)
#define TOUR_WAIT_MS 10000

const struct tg_option tg_options_tour[] = {TG_OPTION_HELP, TG_OPTION_JSON, TG_OPTION_INSTANCE, TG_OPTION_END};

struct tour {
    struct tg_instance instance;
    struct tg_dialect generic;
    struct tg_dialect stripe;
    char url[TG_INSTANCE_URL_BYTES_MAX];
    char ca[TG_PATH_BYTES_MAX];
    char control[TG_PATH_BYTES_MAX];
    char keys[TG_TOUR_KEYS][TG_KEY_FILE_BYTES_MAX];
    char idempotency[TG_TOUR_IDEMPOTENCY_KEYS][40];
    char request_ids[TG_TOUR_IDEMPOTENCY_KEYS][TG_HTTP_TEXT_CHARS]; /* of the first answer to each key */
    json_t *rows;
    bool json;
    int failed;
};

struct tour_line {
    int status;
    char reason[TG_NAME_BYTES_MAX + 1];
    double latency_ms;
    bool fine;
    char more[TG_HTTP_ERROR_CHARS];
};

static void line_say(struct tour *tour, const struct tg_tour_step *step, const struct tour_line *line)
{
    tour->failed += line->fine ? 0 : 1;
    if (tour->json) {
        (void)json_array_append_new(tour->rows,
                                    json_pack("{s:s, s:i, s:s, s:f, s:b, s:s}", "what", step->what, "status",
                                              line->status, "reason", line->reason, "latency_ms", line->latency_ms,
                                              "expected", line->fine ? 1 : 0, "more", line->more));
        return;
    }
    (void)printf("%-42s %4d  %-22s %8.1f ms  %s", step->what, line->status,
                 line->reason[0] == '\0' ? "-" : line->reason, line->latency_ms, line->fine ? "ok" : "NOT AS EXPECTED");
    if (!line->fine && (step->act == TG_TOUR_SEND || step->act == TG_TOUR_TWIN || step->act == TG_TOUR_FAULT)) {
        (void)printf(" (%d %s%s)", step->status, step->reason, step->replayed ? ", from the record" : "");
    }
    (void)printf("%s%s\n", line->more[0] == '\0' ? "" : "  ", line->more);
    (void)fflush(stdout);
}

/* One request id for each key of the tour: the one whose call went to the upstream. */
static void request_id_note(struct tour *tour, const struct tg_tour_step *step, const struct tg_http_answer *answer)
{
    char *place = tour->request_ids[step->idempotency];

    if (step->idempotency > 0 && place[0] == '\0' && (answer->status == 201 || answer->status == 502)) {
        memcpy(place, answer->request_id, sizeof(tour->request_ids[0]));
    }
}

static void step_send(struct tour *tour, const struct tg_tour_step *step, struct tour_line *ret)
{
    const struct tg_dialect *dialect = step->profile == NULL ? &tour->generic : &tour->stripe;
    struct tg_payment payment = {
        .url = tour->url,
        .ca = tour->ca,
        .key = tour->keys[step->key],
        .idempotency_key = step->idempotency == 0 ? NULL : tour->idempotency[step->idempotency],
        .dialect = dialect,
        .operation = &dialect->profile->operations[0], /* the create of both profiles, checked at start */
        .wish = {.amount = step->amount,
                 .amount_raw = true,
                 .currency = "EUR",
                 .payee = "shop-1",
                 .payer = "payer-77",
                 .instrument = step->profile == NULL ? "tok_tour" : "pm_card_visa"},
        .wait_ms = TOUR_WAIT_MS};
    struct tg_http_answer answer;
    struct tg_payment_told told;

    memset(ret, 0, sizeof(*ret));
    if (tg_payment_send(&payment, &answer) != TG_OK) {
        return;
    }
    tg_payment_told(&answer, &told);
    request_id_note(tour, step, &answer);
    ret->status = answer.status;
    ret->latency_ms = (double)answer.latency_us / 1000.0;
    ret->fine = tg_tour_expected(step, &answer, &told);
    memcpy(ret->reason, told.reason, sizeof(ret->reason));
    if (answer.status == 0) {
        (void)snprintf(ret->more, sizeof(ret->more), "%s", answer.error);
    }
    tg_http_answer_free(&answer);
}

/* A subcommand of refpay; its output in buf. */
static bool refpay(const struct tour *tour, const char *const *words, struct tg_buf *output)
{
    struct tg_program_line line;
    size_t i;

    if (tg_program_begin(&line, "refpay") != TG_OK) {
        return false;
    }
    for (i = 0; words[i] != NULL; i++) {
        tg_program_word(&line, words[i]);
    }
    tg_program_pair(&line, "--control", tour->control);
    return tg_program_run(&line, output) == 0;
}

static bool fault_arm(const struct tour *tour, const char *kind, const char *delay_ms)
{
    const char *const words[] = {"fault", kind, "--count", "1", "--operation", "payment.create", "--delay-ms", delay_ms,
                                 NULL};
    uint8_t said[1024];
    struct tg_buf output = tg_buf(said, sizeof(said));

    if (!refpay(tour, words, &output)) {
        tg_complain("the sandbox processor takes no fault: %.*s", (int)output.len, (const char *)output.ptr);
        return false;
    }
    return true;
}

struct twin {
    struct tour *tour;
    struct tg_tour_step step;
    struct tour_line line;
};

static void *twin_first(void *context)
{
    struct twin *twin = context;

    step_send(twin->tour, &twin->step, &twin->line);
    return NULL;
}

/* The first goes out on a thread and is held up in the upstream; the step itself is the twin. */
static void step_twin(struct tour *tour, const struct tg_tour_step *step, struct tour_line *ret)
{
    struct twin first = {.tour = tour, .step = *step};
    pthread_t thread;

    first.step.what = "two at once: the first, held up upstream";
    first.step.status = 201;
    first.step.reason = "";
    memset(ret, 0, sizeof(*ret));
    if (!fault_arm(tour, "slow", TOUR_TWIN_DELAY_MS) || pthread_create(&thread, NULL, twin_first, &first) != 0) {
        return;
    }
    tg_sleep_ms(TOUR_TWIN_LATER_MS);
    step_send(tour, step, ret);
    (void)pthread_join(thread, NULL);
    line_say(tour, &first.step, &first.line);
}

/* How often the processor carried out the call of that request id, by its own book. */
static int charges_count(const struct tour *tour, const char *request_id)
{
    static const char *const words[] = {"payments", "--json", NULL};
    uint8_t *said = malloc(TOUR_BOOK_BYTES);
    struct tg_buf output = tg_buf(said, said == NULL ? 0 : TOUR_BOOK_BYTES);
    json_error_t error;
    json_t *book = NULL;
    const json_t *rows;
    int count = 0;
    size_t i;

    if (said != NULL && refpay(tour, words, &output) && tg_buf_done(&output) == TG_OK) {
        book = json_loadb((const char *)output.ptr, output.len, 0, &error);
    }
    free(said);
    rows = json_object_get(book, "payments");
    if (!json_is_array(rows)) {
        json_decref(book);
        return -1;
    }
    for (i = 0; i < json_array_size(rows); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(rows, i), "request_id"));

        count += id != NULL && strcmp(id, request_id) == 0 ? 1 : 0;
    }
    json_decref(book);
    return count;
}

static void step_charges(struct tour *tour, const struct tg_tour_step *step, struct tour_line *ret)
{
    int64_t begin_ms = tg_monotonic_ms();

    memset(ret, 0, sizeof(*ret));
    ret->status = charges_count(tour, tour->request_ids[step->idempotency]);
    ret->latency_ms = (double)(tg_monotonic_ms() - begin_ms);
    ret->fine = ret->status == step->status;
}

static void step_balance(struct tour *tour, struct tour_line *ret)
{
    static const char *const words[] = {"ledger", "--summary", NULL};
    uint8_t said[1024]; /* what is said does not matter here: the exit code does */
    struct tg_buf output = tg_buf(said, sizeof(said));
    int64_t begin_ms = tg_monotonic_ms();

    memset(ret, 0, sizeof(*ret));
    ret->fine = refpay(tour, words, &output);
    ret->latency_ms = (double)(tg_monotonic_ms() - begin_ms);
}

static void step_reconcile(struct tour *tour, const struct tg_tour_step *step, struct tour_line *ret)
{
    const struct tg_probe probe = {
        .instance = &tour->instance, .url = tour->url, .ca = tour->ca, .key = tour->keys[TG_TOUR_KEY_FULL],
        .after_s = INT64_MAX /* nothing is concluded from age here: the upstream cut the call */};
    struct tg_reconcile_counts counts = {0, 0, 0};
    int64_t begin_ms = tg_monotonic_ms();
    struct tg_admin admin;

    memset(ret, 0, sizeof(*ret));
    if (tg_admin_open(&tour->instance, false, &admin) != TG_OK) {
        return;
    }
    ret->fine = tg_reconcile_probe(&admin, &probe, tour->request_ids[step->idempotency], true, &counts) == TG_OK &&
                counts.executed == step->status && counts.unsure == 0 && counts.not_executed == 0;
    ret->status = counts.executed;
    ret->latency_ms = (double)(tg_monotonic_ms() - begin_ms);
    tg_admin_close(&admin);
}

static void step_run(struct tour *tour, const struct tg_tour_step *step)
{
    struct tour_line line = {0};

    switch (step->act) {
    case TG_TOUR_SEND:
        step_send(tour, step, &line);
        break;
    case TG_TOUR_TWIN:
        step_twin(tour, step, &line);
        break;
    case TG_TOUR_FAULT:
        if (fault_arm(tour, "reset_after_commit", "0")) {
            step_send(tour, step, &line);
        }
        break;
    case TG_TOUR_CHARGES:
        step_charges(tour, step, &line);
        break;
    case TG_TOUR_RECONCILE:
        step_reconcile(tour, step, &line);
        break;
    default:
        step_balance(tour, &line);
        break;
    }
    line_say(tour, step, &line);
}

static enum tg_err tour_keys(struct tour *tour)
{
    static const struct {
        uint8_t key;
        const char *file;
    } files[] = {{TG_TOUR_KEY_FULL, "client/tour.key"},
                 {TG_TOUR_KEY_READ, "client/limited.key"},
                 {TG_TOUR_KEY_STRIPE, "client/stripe.key"}};
    uint8_t random[32];
    char path[TG_PATH_BYTES_MAX];
    char *typo = tour->keys[TG_TOUR_KEY_TYPO];
    size_t i;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (tg_file_read_line(tg_instance_path(&tour->instance, files[i].file, path), tour->keys[files[i].key],
                              sizeof(tour->keys[0])) != TG_OK) {
            return TG_ERR_ABSENT;
        }
    }
    if (tg_random(random, sizeof(random)) != TG_OK) {
        return TG_ERR_BUG;
    }
    tg_api_key_write(random, false, tour->keys[TG_TOUR_KEY_UNKNOWN]);
    tour->keys[TG_TOUR_KEY_UNKNOWN][TG_API_KEY_CHARS] = '\0';
    memcpy(typo, tour->keys[TG_TOUR_KEY_UNKNOWN], TG_API_KEY_CHARS + 1);
    typo[30] = typo[30] == 'a' ? 'b' : 'a';
    for (i = 1; i < TG_TOUR_IDEMPOTENCY_KEYS; i++) {
        struct tg_buf out = tg_buf(tour->idempotency[i], sizeof(tour->idempotency[i]));

        if (tg_random(random, 16) != TG_OK) {
            return TG_ERR_BUG;
        }
        tg_buf_put_hex(&out, tg_span(random, 16));
        tg_buf_put_u8(&out, 0);
    }
    return TG_OK;
}

static enum tg_err tour_open(struct tour *tour)
{
    const struct tg_instance *instance = &tour->instance;
    char path[TG_PATH_BYTES_MAX];
    char name[TG_USER_CHARS_MAX + 20];

    (void)tg_instance_url(instance, tour->url);
    (void)tg_instance_path(instance, "client/ca.pem", tour->ca);
    (void)tg_instance_path(instance, "run/refpay.sock", tour->control);
    if (!instance->sandbox || strcmp(instance->profile, "generic-json") != 0) {
        tg_complain("the tour needs an instance made with --sandbox and the profile generic-json");
        return TG_ERR_ABSENT;
    }
    (void)snprintf(name, sizeof(name), "profiles/%s.json", instance->profile);
    if (tg_dialect_open(tg_instance_path(instance, name, path), &tour->generic) != TG_OK ||
        tg_dialect_open(tg_instance_path(instance, "profiles/stripe.json", path), &tour->stripe) != TG_OK) {
        return TG_ERR_INPUT;
    }
    if (!tour->generic.profile->operations[0].amount_required || !tour->stripe.profile->operations[0].amount_required) {
        tg_complain("the first operation of a profile is not its create any more: the tour does not fit it");
        return TG_ERR_INPUT;
    }
    return tour_keys(tour);
}

int tg_command_tour(struct tg_arguments *arguments)
{
    static struct tour tour;
    enum tg_err err;
    size_t i;

    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &tour.instance) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    if (!tg_service_ready(&tour.instance, TG_SERVICE_NGINX)) {
        tg_complain("%s does not serve: tollgate up %s --detach", tour.instance.dir, tour.instance.dir);
        return TG_EXIT_UNREACHABLE;
    }
    tour.json = tg_arguments_flag(arguments, "json");
    tour.rows = json_array();
    err = tour_open(&tour);
    if (err == TG_OK) {
        err = tg_http_start();
    }
    for (i = 0; err == TG_OK && i < tg_tour_count(); i++) {
        step_run(&tour, &tg_tour_steps[i]);
    }
    if (err == TG_OK) {
        tg_http_stop();
        if (tour.json) {
            (void)json_dumpf(tour.rows, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
            (void)printf("\n");
        } else {
            (void)printf("\n%s\n", tour.failed == 0 ? "Every outcome was the expected one."
                                                    : "NOT every outcome was the expected one.");
        }
    }
    tg_wipe(tour.keys, sizeof(tour.keys));
    json_decref(tour.rows);
    tg_dialect_close(&tour.generic);
    tg_dialect_close(&tour.stripe);
    return err == TG_OK && tour.failed == 0 ? TG_EXIT_OK : TG_EXIT_REFUSED;
}
