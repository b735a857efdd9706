/*
 * init.c - `tollgate init`: makes an instance from nothing.
 *
 * Order: look, then make folders, keys, papers and files, tollgate.json last, so that a folder without it is known
 * to be half made. What exists is never overwritten. One that joins another takes over that one's connection and
 * authority, and has no keys.
 */
#include "cli/account.h"
#include "cli/command.h"
#include "cli/dialect.h"
#include "cli/folders.h"
#include "cli/issue.h"
#include "cli/nginx_conf.h"
#include "cli/service.h"
#include "cli/setup.h"
#include "base/base64url.h"
#include "crypto/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define INIT_DESCRIPTORS_WISH 16384 /* a worker holds two descriptors a call */
#define INIT_PROFILE_BYTES_MAX 65536
#define INIT_URL_CHARS_MAX 256 /* room for a host name and a path */
#define INIT_RATE_DEFAULT 2000
#define INIT_WORKERS_MAX 64
#define INIT_CONNECTION_BYTES_MAX 2048 /* as the keeper takes it (keeper/connection.h) */
#define INIT_KEEPERS_POSTGRES 2 /* so that one instance can join without a restart; each costs the sealer 8 MB */

const struct tg_option tg_options_init[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"listen", 0, TG_OPTION_TEXT, "ADDRESS:PORT", "where clients call, TLS (127.0.0.1:8443)"},
    {"status-listen", 0, TG_OPTION_TEXT, "ADDRESS:PORT", "status and health, plain, keep it local (127.0.0.1:8444)"},
    {"upstream", 0, TG_OPTION_TEXT, "ADDRESS:PORT", "the payment API (127.0.0.1:9080)"},
    {"crl-url", 0, TG_OPTION_TEXT, "URL", "where callers find the revocation list (the status address, /tollgate/crl)"},
    {"profile", 0, TG_OPTION_TEXT, "NAME|FILE", "dialect of the route \"generic\": a shipped name, or a path (generic-json)"},
    {"sandbox", 0, TG_OPTION_FLAG, NULL, "run the sandbox processor refpay as the upstream"},
    {"name", 0, TG_OPTION_MANY, "HOST", "one more name or address of the server certificate"},
    {"store", 0, TG_OPTION_TEXT, "postgres:FILE", "keep everything on the PostgreSQL server that FILE names (a folder)"},
    {"join", 0, TG_OPTION_TEXT, "DIR", "share database, sealer and authority of another instance of this machine"},
    {"rate", 0, TG_OPTION_TEXT, "N", "requests a second from one address (2000)"},
    {"workers", 0, TG_OPTION_TEXT, "N", "nginx workers (one a processor)"},
    TG_OPTION_END,
};

struct init_wish {
    struct tg_instance instance;
    const char *names[TG_OPTION_REPEATS_MAX + 4]; /* localhost, 127.0.0.1, --name..., the listen address, NULL */
    char host[TG_ADDRESS_CHARS_MAX];
    char crl_url[INIT_URL_CHARS_MAX];
    const char *connection; /* the file that --store names, or the joined instance's */
    struct tg_instance joined; /* --join: the other one */
    char joined_connection[TG_PATH_BYTES_MAX];
    char joined_profile[TG_PATH_BYTES_MAX];
    int64_t rate_per_s;
    int64_t workers;
    char profiles[TG_PATH_BYTES_MAX]; /* where the shipped ones are copied from */
    const char *profile_file;         /* the operator's own, or NULL */
    char module[TG_PATH_BYTES_MAX];
    char read_operations[TG_OPERATIONS_BYTES_MAX];
};

struct init_secrets {
    uint8_t random[32];
    char token[64];
    char header[96];
};

static enum tg_err address_take(const struct tg_arguments *arguments, const char *name, const char *otherwise,
                                char ret[TG_ADDRESS_CHARS_MAX])
{
    const char *text = tg_arguments_text_or(arguments, name, otherwise);
    char host[TG_ADDRESS_CHARS_MAX];
    uint16_t port;

    if (strlen(text) >= TG_ADDRESS_CHARS_MAX || tg_address_parse(text, host, &port) != TG_OK) {
        tg_complain("--%s must be ADDRESS:PORT with an IP address, as 127.0.0.1:8443 or [::1]:8443", name);
        return TG_ERR_INPUT;
    }
    memcpy(ret, text, strlen(text) + 1);
    return TG_OK;
}

/* The names of the server certificate; the listen address is one unless it is a wildcard or there already. */
static void names_read(const struct tg_arguments *arguments, struct init_wish *wish)
{
    static const char *const not_added[] = {"127.0.0.1", "0.0.0.0", "::"};
    const struct tg_option_seen *names = tg_arguments_many(arguments, "name");
    bool add;
    uint16_t port;
    size_t i;

    wish->names[0] = "localhost";
    wish->names[1] = "127.0.0.1";
    for (i = 0; i < names->count; i++) {
        wish->names[2 + i] = names->values[i];
    }
    add = tg_address_parse(wish->instance.listen, wish->host, &port) == TG_OK;
    for (i = 0; i < sizeof(not_added) / sizeof(not_added[0]); i++) {
        add = add && strcmp(wish->host, not_added[i]) != 0;
    }
    if (add) {
        wish->names[2 + names->count] = wish->host;
    }
}

/* A word with a slash or ending in .json is a file; its name in the instance is the file's. */
static enum tg_err profile_take(const char *text, struct init_wish *wish)
{
    static const char suffix[] = ".json";
    const char *slash = strrchr(text, '/');
    const char *name = slash == NULL ? text : slash + 1;
    size_t len = strlen(name);
    bool is_file = len >= sizeof(suffix) && strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0;

    len -= is_file ? sizeof(suffix) - 1 : 0;
    if ((slash != NULL && !is_file) || len == 0 || len >= sizeof(wish->instance.profile) ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") < len) {
        tg_complain("--profile is the name of a shipped profile, as generic-json, or a file NAME.json with NAME of a-z, "
                    "0-9 and '-'");
        return TG_ERR_INPUT;
    }
    memcpy(wish->instance.profile, name, len);
    wish->instance.profile[len] = '\0';
    wish->profile_file = is_file ? text : NULL;
    return TG_OK;
}

static enum tg_err crl_url_read(const struct tg_arguments *arguments, struct init_wish *wish)
{
    const char *url = tg_arguments_text(arguments, "crl-url");
    int len = url != NULL ? snprintf(wish->crl_url, sizeof(wish->crl_url), "%s", url)
                          : snprintf(wish->crl_url, sizeof(wish->crl_url), "http://%s/tollgate/crl",
                                     wish->instance.status_listen);

    if (len < 0 || (size_t)len >= sizeof(wish->crl_url) ||
        (strncmp(wish->crl_url, "http://", 7) != 0 && strncmp(wish->crl_url, "https://", 8) != 0)) {
        tg_complain("--crl-url must be an http URL of fewer than %d characters", INIT_URL_CHARS_MAX);
        return TG_ERR_INPUT;
    }
    return TG_OK;
}

/* What is wrong with joining the other instance, or NULL. */
static const char *join_fault(const struct tg_arguments *arguments, const struct tg_instance *joined)
{
    if (tg_arguments_flag(arguments, "sandbox") || tg_arguments_text(arguments, "store") != NULL) {
        return "--sandbox and --store are the joined instance's: leave them out";
    }
    if (!joined->postgres) {
        return "its store is a folder, which has one keeper: only instances on PostgreSQL are joined";
    }
    if (joined->joins[0] != '\0') {
        return "it has joined another instance itself: join that one";
    }
    if (joined->keepers < 2) {
        return "its sealer serves one keeper: add  \"keepers\": 2  to its tollgate.json, then `tollgate down` and `up`";
    }
    if (joined->separated != (geteuid() == 0)) {
        return "it was made by another user: call as that one";
    }
    return NULL;
}

/* --join: the other instance must be there, and share what it is asked to share. */
static enum tg_err join_read(const struct tg_arguments *arguments, struct init_wish *wish)
{
    const char *dir = tg_arguments_text(arguments, "join");
    const char *fault;
    char name[TG_USER_CHARS_MAX + 16];

    if (dir == NULL) {
        return TG_OK;
    }
    if (tg_instance_open(arguments, dir, &wish->joined) != TG_OK) {
        return TG_ERR_INPUT;
    }
    fault = join_fault(arguments, &wish->joined);
    if (fault != NULL) {
        tg_complain("--join %s: %s", wish->joined.dir, fault);
        return TG_ERR_INPUT;
    }
    memcpy(wish->instance.joins, wish->joined.dir, strlen(wish->joined.dir) + 1);
    wish->instance.postgres = true;
    wish->connection = tg_instance_path(&wish->joined, "store/connection", wish->joined_connection);
    (void)snprintf(name, sizeof(name), "profiles/%s.json", wish->joined.profile);
    (void)tg_instance_path(&wish->joined, name, wish->joined_profile);
    return TG_OK;
}

static enum tg_err addresses_read(const struct tg_arguments *arguments, struct init_wish *wish)
{
    struct tg_instance *instance = &wish->instance;
    bool joins = instance->joins[0] != '\0';
    enum tg_err err = address_take(arguments, "listen", "127.0.0.1:8443", instance->listen);

    if (err == TG_OK) {
        err = address_take(arguments, "status-listen", "127.0.0.1:8444", instance->status_listen);
    }
    if (err == TG_OK) {
        err = address_take(arguments, "upstream", joins ? wish->joined.upstream : "127.0.0.1:9080", instance->upstream);
    }
    if (err == TG_OK && joins &&
        (strcmp(instance->listen, wish->joined.listen) == 0 ||
         strcmp(instance->status_listen, wish->joined.status_listen) == 0)) {
        tg_complain("%s listens there already: give --listen and --status-listen", wish->joined.dir);
        err = TG_ERR_INPUT;
    }
    return err;
}

static enum tg_err store_read(const struct tg_arguments *arguments, struct init_wish *wish)
{
    const char *store = tg_arguments_text(arguments, "store");

    wish->instance.keepers = 1;
    if (store == NULL) {
        return TG_OK;
    }
    if (strncmp(store, "postgres:", 9) != 0 || store[9] == '\0') {
        tg_complain("--store must be postgres:FILE, where FILE holds one line as \"host=... dbname=...\"");
        return TG_ERR_INPUT;
    }
    wish->connection = store + 9;
    wish->instance.postgres = true;
    wish->instance.keepers = INIT_KEEPERS_POSTGRES;
    return TG_OK;
}

/* TG_ERR_INPUT and TG_ERR_LIMIT: the line is wrong. */
static enum tg_err wish_read(struct tg_arguments *arguments, struct init_wish *wish)
{
    struct tg_instance *instance = &wish->instance;
    enum tg_err err = tg_instance_find(arguments, tg_arguments_word(arguments, 0), instance);

    wish->rate_per_s = INIT_RATE_DEFAULT;
    wish->workers = sysconf(_SC_NPROCESSORS_ONLN);
    wish->workers = wish->workers < 1 ? 1 : wish->workers > INIT_WORKERS_MAX ? INIT_WORKERS_MAX : wish->workers;
    if (err == TG_OK) {
        err = store_read(arguments, wish);
    }
    if (err == TG_OK) {
        err = join_read(arguments, wish);
    }
    if (err == TG_OK) {
        err = addresses_read(arguments, wish);
    }
    if (err == TG_OK && (tg_arguments_number(arguments, "rate", 1, 1000000, &wish->rate_per_s) != TG_OK ||
                         tg_arguments_number(arguments, "workers", 1, INIT_WORKERS_MAX, &wish->workers) != TG_OK)) {
        tg_complain("%s", arguments->why);
        err = TG_ERR_INPUT;
    }
    if (err == TG_OK) {
        const char *otherwise = instance->joins[0] == '\0' ? "generic-json" : wish->joined_profile;

        err = profile_take(tg_arguments_text_or(arguments, "profile", otherwise), wish);
    }
    if (err != TG_OK) {
        return err;
    }
    instance->sandbox = tg_arguments_flag(arguments, "sandbox");
    names_read(arguments, wish);
    return crl_url_read(arguments, wish);
}

static enum tg_err profile_copy(const struct init_wish *wish, const char *from, const char *file)
{
    static uint8_t text[INIT_PROFILE_BYTES_MAX];
    struct tg_buf buf = tg_buf(text, sizeof(text));
    char to[TG_PATH_BYTES_MAX];
    char name[300];
    enum tg_err err = tg_file_read(from, true, &buf);

    (void)snprintf(name, sizeof(name), "profiles/%s", file);
    return err != TG_OK ? err
                        : tg_file_new(tg_instance_path(&wish->instance, name, to), 0644, TG_OWNER_SELF,
                                      tg_buf_span(&buf));
}

/* The operator's own stands in for a shipped one of the same name. */
static enum tg_err profiles_copy(const struct init_wish *wish)
{
    DIR *folder = opendir(wish->profiles);
    const struct dirent *entry;
    char own[TG_USER_CHARS_MAX + 8];
    enum tg_err err = TG_OK;

    (void)snprintf(own, sizeof(own), "%s.json", wish->instance.profile);
    if (folder == NULL) {
        tg_complain("cannot read %s: %s", wish->profiles, strerror(errno));
        return TG_ERR_DENIED;
    }
    while (err == TG_OK && (entry = readdir(folder)) != NULL) {
        size_t len = strlen(entry->d_name);
        char from[TG_PATH_BYTES_MAX];

        if (len < 6 || strcmp(entry->d_name + len - 5, ".json") != 0 ||
            (wish->profile_file != NULL && strcmp(entry->d_name, own) == 0)) {
            continue;
        }
        err = tg_path_join(from, wish->profiles, entry->d_name);
        if (err == TG_OK) {
            err = profile_copy(wish, from, entry->d_name);
        }
    }
    (void)closedir(folder);
    return err == TG_OK && wish->profile_file != NULL ? profile_copy(wish, wish->profile_file, own) : err;
}

/* Who reads what keys/ holds can open everything: the sealer makes them itself, as its own user. */
static enum tg_err keys_make(const struct tg_instance *instance)
{
    struct tg_service_line line;
    uint8_t said[4096];
    struct tg_buf output = tg_buf(said, sizeof(said));
    enum tg_err err = tg_service_line(instance, TG_SERVICE_SEALER, &line);

    if (err != TG_OK) {
        return err;
    }
    tg_program_word(&line.program, "--make-keys");
    if (tg_program_run(&line.program, &output) != 0) {
        tg_complain("the sealer could not make its keys in %s/keys: see %s/log/sealer.log\n%.*s", instance->dir,
                    instance->dir, (int)output.len, (const char *)output.ptr);
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

static enum tg_err nginx_conf_make(const struct init_wish *wish)
{
    static uint8_t text[TG_NGINX_CONF_BYTES_MAX];
    const struct tg_instance *instance = &wish->instance;
    struct tg_buf out = tg_buf(text, sizeof(text));
    struct rlimit limit = {1024, 1024};
    char path[TG_PATH_BYTES_MAX];
    struct tg_nginx_conf conf = {.dir = instance->dir,
                                 .module = wish->module,
                                 .user = instance->gate_user,
                                 .listen = instance->listen,
                                 .status_listen = instance->status_listen,
                                 .upstream = instance->upstream,
                                 .profile = instance->profile,
                                 .stripe = (instance->sandbox || wish->joined.sandbox) &&
                                           strcmp(instance->profile, "stripe") != 0,
                                 .workers = (unsigned)wish->workers,
                                 .rate_per_s = (unsigned)wish->rate_per_s};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    conf.descriptors = limit.rlim_max < INIT_DESCRIPTORS_WISH ? (unsigned)limit.rlim_max : INIT_DESCRIPTORS_WISH;
    if (tg_nginx_conf_write(&conf, &out) != TG_OK) {
        tg_complain("nginx.conf could not be made");
        return TG_ERR_BUG;
    }
    return tg_file_new(tg_instance_path(instance, "nginx.conf", path), 0644, TG_OWNER_SELF, tg_buf_span(&out));
}

/* 256 random bits for the upstream: as "Bearer ..." to the keeper, bare to the sandbox processor. */
static enum tg_err credential_make(const struct tg_instance *instance, struct init_secrets *secrets)
{
    struct tg_buf token = tg_buf(secrets->token, sizeof(secrets->token));
    struct tg_owner owner;
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = tg_random(secrets->random, sizeof(secrets->random));

    if (err != TG_OK) {
        return err;
    }
    tg_base64url_write(&token, tg_span(secrets->random, sizeof(secrets->random)));
    err = tg_buf_done(&token);
    if (err != TG_OK) {
        return err;
    }
    (void)snprintf(secrets->header, sizeof(secrets->header), "Bearer %.*s", (int)token.len, secrets->token);
    err = tg_user_find(instance->sandbox_user, &owner);
    if (err == TG_OK && instance->sandbox) {
        err = tg_file_new(tg_instance_path(instance, "sandbox/upstream.credential", path), 0600, owner,
                          tg_buf_span(&token));
    }
    return err;
}

static enum tg_err connection_read(const struct init_wish *wish, char ret[INIT_CONNECTION_BYTES_MAX])
{
    return wish->connection == wish->joined_connection
               ? tg_file_read_line_itself(wish->connection, ret, INIT_CONNECTION_BYTES_MAX)
               : tg_file_read_line(wish->connection, ret, INIT_CONNECTION_BYTES_MAX);
}

/* The keeper's own copy: it reads the connection, with the password that may be in it, as its own user. */
static enum tg_err connection_make(const struct init_wish *wish)
{
    char line[INIT_CONNECTION_BYTES_MAX];
    char path[TG_PATH_BYTES_MAX];
    struct tg_owner owner;
    enum tg_err err;

    if (!wish->instance.postgres) {
        return TG_OK;
    }
    err = tg_user_find(wish->instance.keeper_user, &owner);
    if (err == TG_OK) {
        err = connection_read(wish, line);
    }
    if (err == TG_OK) {
        err = tg_file_new(tg_instance_path(&wish->instance, "store/connection", path), 0600, owner,
                          tg_span_string(line));
    }
    tg_wipe(line, sizeof(line));
    return err;
}

/* Said before anything is made. */
static enum tg_err connection_check(const struct init_wish *wish)
{
    char line[INIT_CONNECTION_BYTES_MAX];
    enum tg_err err = wish->instance.postgres ? connection_read(wish, line) : TG_OK;

    tg_wipe(line, sizeof(line));
    return err;
}

static enum tg_err setup_make(const struct init_wish *wish)
{
    struct init_secrets secrets;
    enum tg_err err = credential_make(&wish->instance, &secrets);
    const struct tg_setup_route routes[] = {{"generic", secrets.header}, {"stripe", secrets.header}};

    if (err == TG_OK) {
        /* Without the sandbox the operator's own credential is needed: `route set`. */
        err = tg_setup_instance(&wish->instance, wish->read_operations, routes, wish->instance.sandbox ? 2 : 0);
    }
    tg_wipe(&secrets, sizeof(secrets));
    return err;
}

static enum tg_err instance_json_make(const struct tg_instance *instance)
{
    uint8_t text[4096];
    struct tg_buf out = tg_buf(text, sizeof(text));
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = tg_instance_write(instance, &out);

    if (err != TG_OK) {
        return err;
    }
    return tg_file_new(tg_instance_path(instance, "tollgate.json", path), 0644, TG_OWNER_SELF, tg_buf_span(&out));
}

/* A profile that cannot be used is said before anything is made. The tour's second key may only read. */
static enum tg_err profile_check(struct init_wish *wish, const char *path)
{
    struct tg_dialect dialect;
    enum tg_err err;

    if (wish->instance.sandbox) {
        return tg_dialect_read_operations(path, wish->read_operations, sizeof(wish->read_operations));
    }
    err = tg_dialect_open(path, &dialect);
    tg_dialect_close(&dialect);
    return err;
}

static enum tg_err instance_make(struct init_wish *wish)
{
    struct tg_instance *instance = &wish->instance;
    char path[TG_PATH_BYTES_MAX];
    char name[TG_USER_CHARS_MAX + 8];
    enum tg_err err;

    if (tg_program_find("ngx_http_tollgate_module.so", wish->module) != TG_OK ||
        tg_data_find("profiles", wish->profiles) != TG_OK) {
        return TG_ERR_ABSENT;
    }
    (void)snprintf(name, sizeof(name), "%s.json", instance->profile);
    err = tg_path_join(path, wish->profiles, name);
    if (err == TG_OK) {
        err = profile_check(wish, wish->profile_file == NULL ? path : wish->profile_file);
    }
    if (err == TG_OK) {
        err = connection_check(wish);
    }
    if (err == TG_OK) {
        err = tg_account_make(instance);
    }
    if (err == TG_OK) {
        err = tg_folders_reachable(instance);
    }
    if (err == TG_OK) {
        err = tg_folders_make(instance);
    }
    if (err == TG_OK) {
        err = tg_issue_certificates(instance, wish->names, wish->crl_url, (int64_t)time(NULL));
    }
    if (err == TG_OK) {
        err = profiles_copy(wish);
    }
    if (err == TG_OK) {
        err = connection_make(wish);
    }
    if (err == TG_OK && instance->joins[0] == '\0') {
        err = keys_make(instance);
    }
    if (err == TG_OK) {
        err = nginx_conf_make(wish);
    }
    if (err == TG_OK) {
        err = setup_make(wish);
    }
    return err == TG_OK ? instance_json_make(instance) : err;
}

static void next_say(const struct tg_instance *instance)
{
    char url[TG_INSTANCE_URL_BYTES_MAX];

    (void)tg_instance_url(instance, url);
    if (instance->joins[0] != '\0') {
        (void)printf("  start   tollgate up %s --detach\n"
                     "  check   tollgate doctor %s\n"
                     "  Clients call %s and trust %s/client/ca.pem, as before\n",
                     instance->dir, instance->dir, url, instance->dir);
        return;
    }
    if (!instance->sandbox) {
        (void)printf("  Next (with --instance %s, or TOLLGATE_INSTANCE set):\n"
                     "    tollgate up --detach\n"
                     "    tollgate partner add NAME\n"
                     "    tollgate partner limit set NAME --currency EUR --payment-max N --day-max N\n"
                     "    tollgate key create --partner NAME --operations A,B --out FILE\n"
                     "    tollgate route set generic --credential-file FILE\n"
                     "    tollgate doctor\n\n"
                     "  Clients call %s and trust %s/client/ca.pem\n",
                     instance->dir, url, instance->dir);
        return;
    }
    (void)printf("  start   tollgate up %s\n"
                 "  check   tollgate doctor %s\n"
                 "  pay     tollgate pay --url %s --key-file %s/client/tour.key --ca %s/client/ca.pem \\\n"
                 "            --idempotency-key my-first-payment --amount 1050 --currency EUR --payee shop-1\n",
                 instance->dir, instance->dir, url, instance->dir, instance->dir);
}

static void init_say(const struct tg_instance *instance)
{
    (void)printf("Made %s\n\n", instance->dir);
    if (instance->joins[0] == '\0') {
        (void)printf("  !! The master key is a FILE: %s/keys/master.key\n"
                     "  !! Whoever reads it can open every sealed answer and upstream credential.\n"
                     "  !! Back it up apart from the store; lose it, and sealed answers are gone.\n\n",
                     instance->dir);
    } else {
        (void)printf("  It shares database and sealer with %s,\n"
                     "  without whose sealer it answers 503. Partners, keys, limits and routes are the same.\n\n",
                     instance->joins);
    }
    if (!instance->separated) {
        (void)printf("  Not root: sealer, keeper and gate run as the same user. PROCESSES NOT SEPARATED.\n\n");
    }
    next_say(instance);
}

int tg_command_init(struct tg_arguments *arguments)
{
    struct init_wish wish = {0};
    char path[TG_PATH_BYTES_MAX];
    sigset_t before;
    enum tg_err err;

    if (wish_read(arguments, &wish) != TG_OK) {
        return TG_EXIT_USAGE;
    }
    if (tg_instance_part(&wish.instance)) {
        return TG_EXIT_REFUSED;
    }
    if (tg_file_exists(tg_instance_path(&wish.instance, "tollgate.json", path))) {
        tg_complain("%s already holds an instance: it is never overwritten. Take another folder, or move this one away",
                    wish.instance.dir);
        return TG_EXIT_REFUSED;
    }
    /* Its daemons must not outlive it: they hold keys, and the database. */
    tg_program_ends_hold(&before);
    err = instance_make(&wish);
    if (err == TG_OK) {
        init_say(&wish.instance);
    } else if (tg_file_exists(wish.instance.dir)) {
        tg_complain("init did not end: %s is not an instance. Remove it before trying again", wish.instance.dir);
    }
    (void)fflush(NULL);
    tg_program_ends_release(&before);
    return err == TG_OK ? TG_EXIT_OK : TG_EXIT_REFUSED;
}
