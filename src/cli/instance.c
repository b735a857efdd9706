/*
 * instance.c - see instance.h.
 */
#include "cli/instance.h"

#include "base/span.h"
#include "cli/command.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INSTANCE_VERSION 1          /* of tollgate.json; another is refused */
#define INSTANCE_FILE_BYTES_MAX 16384

static const char *const instance_default_root = "/var/lib/tollgate/tour";
static const char *const instance_default = "run/tour";

const char *tg_instance_path(const struct tg_instance *instance, const char *name, char ret[TG_PATH_BYTES_MAX])
{
    int len = snprintf(ret, TG_PATH_BYTES_MAX, "%s/%s", instance->dir, name);

    if (len < 0 || len >= TG_PATH_BYTES_MAX) {
        abort(); /* dir is bounded by tg_instance_find: a broken promise of our own */
    }
    return ret;
}

/* Makes path absolute without needing it to exist. */
static enum tg_err path_absolute(const char *path, char ret[TG_PATH_BYTES_MAX])
{
    char full[TG_PATH_BYTES_MAX];
    char here[TG_PATH_BYTES_MAX];
    char *real = realpath(path, NULL);
    int len;

    if (real != NULL) {
        len = snprintf(ret, TG_PATH_BYTES_MAX, "%s", real);
        free(real);
        return len < TG_PATH_BYTES_MAX ? TG_OK : TG_ERR_LIMIT;
    }
    if (path[0] == '/') {
        len = snprintf(full, sizeof(full), "%s", path);
    } else {
        if (getcwd(here, sizeof(here)) == NULL) {
            return TG_ERR_LIMIT;
        }
        while (path[0] == '.' && path[1] == '/') {
            path += 2;
        }
        len = snprintf(full, sizeof(full), "%s/%s", here, path);
    }
    if (len < 0 || (size_t)len >= sizeof(full)) {
        return TG_ERR_LIMIT;
    }
    while (len > 1 && full[len - 1] == '/') {
        full[--len] = '\0';
    }
    memcpy(ret, full, (size_t)len + 1);
    return TG_OK;
}

enum tg_err tg_instance_find(const struct tg_arguments *arguments, const char *word, struct tg_instance *ret)
{
    const char *dir = word != NULL ? word : tg_arguments_text(arguments, "instance");
    const char *at;

    memset(ret, 0, sizeof(*ret));
    if (dir == NULL) {
        dir = getenv("TOLLGATE_INSTANCE");
    }
    if (dir == NULL || dir[0] == '\0') {
        dir = geteuid() == 0 ? instance_default_root : instance_default;
    }
    if (path_absolute(dir, ret->dir) != TG_OK || strlen(ret->dir) > TG_INSTANCE_PATH_BYTES_MAX) {
        tg_complain("the instance's path may have at most %d bytes (names of unix sockets are short): choose another",
                    TG_INSTANCE_PATH_BYTES_MAX);
        return TG_ERR_LIMIT;
    }
    /* It stands in nginx.conf, where these would need quoting. */
    for (at = ret->dir; *at != '\0'; at++) {
        if (*at <= ' ' || *at == '"' || *at == '\'' || *at == '$' || *at == ';' || *at == '{' || *at == '}' ||
            *at == '#' || *at == '\\' || (unsigned char)*at >= 0x7f) {
            tg_complain("the instance's path holds a character that nginx.conf cannot carry: choose another");
            return TG_ERR_INPUT;
        }
    }
    return TG_OK;
}

enum tg_err tg_instance_write(const struct tg_instance *instance, struct tg_buf *out)
{
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:b}", "version", INSTANCE_VERSION, "listen",
                             instance->listen, "status_listen", instance->status_listen, "upstream",
                             instance->upstream, "profile", instance->profile, "sandbox", instance->sandbox ? 1 : 0,
                             "separated", instance->separated ? 1 : 0);
    char *text;

    if (root != NULL && instance->postgres) {
        (void)json_object_set_new(root, "store", json_string("postgres"));
    }
    if (root != NULL && instance->joins[0] != '\0') {
        (void)json_object_set_new(root, "joins", json_string(instance->joins));
    }
    if (root != NULL && instance->keepers > 1) {
        (void)json_object_set_new(root, "keepers", json_integer(instance->keepers));
    }
    if (root != NULL && instance->separated) {
        json_t *users = json_pack("{s:s, s:s, s:s, s:s}", "keeper", instance->keeper_user, "sealer",
                                  instance->sealer_user, "gate", instance->gate_user, "sandbox",
                                  instance->sandbox_user);

        (void)json_object_set_new(root, "users", users);
    }
    text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(root);
    if (text == NULL) {
        return TG_ERR_ROOM;
    }
    tg_buf_put_string(out, text);
    tg_buf_put_string(out, "\n");
    free(text);
    return tg_buf_done(out);
}

static bool text_take(json_t *root, const char *name, char *ret, size_t ret_size)
{
    const char *text = json_string_value(json_object_get(root, name));
    size_t len = text == NULL ? 0 : strlen(text);

    if (len == 0 || len >= ret_size) {
        return false;
    }
    memcpy(ret, text, len + 1);
    return true;
}

/* Where everything is kept, and with whom it is shared. */
static const char *store_fill(json_t *root, struct tg_instance *ret)
{
    const char *store = json_string_value(json_object_get(root, "store"));
    const json_t *keepers = json_object_get(root, "keepers");
    json_int_t count = keepers == NULL ? 1 : json_integer_value(keepers);

    if (json_object_get(root, "store") != NULL && (store == NULL || strcmp(store, "postgres") != 0)) {
        return "\"store\" may only be \"postgres\"";
    }
    ret->postgres = store != NULL;
    if (json_object_get(root, "joins") != NULL &&
        (!text_take(root, "joins", ret->joins, sizeof(ret->joins)) || ret->joins[0] != '/')) {
        return "\"joins\" must be the folder of another instance";
    }
    if (count < 1 || count > TG_INSTANCE_KEEPERS_MAX) {
        return "\"keepers\" must be a number from 1 to 8";
    }
    ret->keepers = (unsigned)count;
    if (!ret->postgres && (ret->joins[0] != '\0' || count > 1)) {
        return "\"joins\" and \"keepers\" need \"store\": \"postgres\": a folder has one keeper";
    }
    return NULL;
}

static const char *instance_fill(json_t *root, struct tg_instance *ret)
{
    json_t *users = json_object_get(root, "users");
    char host[TG_ADDRESS_CHARS_MAX];
    const char *wrong;
    uint16_t port;

    if (json_integer_value(json_object_get(root, "version")) != INSTANCE_VERSION) {
        return "\"version\" is not 1: the instance is of another release";
    }
    if (!text_take(root, "listen", ret->listen, sizeof(ret->listen)) ||
        tg_address_parse(ret->listen, host, &port) != TG_OK) {
        return "\"listen\" must be ADDRESS:PORT";
    }
    if (!text_take(root, "status_listen", ret->status_listen, sizeof(ret->status_listen)) ||
        tg_address_parse(ret->status_listen, host, &port) != TG_OK) {
        return "\"status_listen\" must be ADDRESS:PORT";
    }
    if (!text_take(root, "upstream", ret->upstream, sizeof(ret->upstream))) {
        return "\"upstream\" must be ADDRESS:PORT";
    }
    if (!text_take(root, "profile", ret->profile, sizeof(ret->profile))) {
        return "\"profile\" must be a name";
    }
    ret->sandbox = json_is_true(json_object_get(root, "sandbox"));
    wrong = store_fill(root, ret);
    if (wrong != NULL) {
        return wrong;
    }
    ret->separated = json_is_true(json_object_get(root, "separated"));
    if (ret->separated && (!text_take(users, "keeper", ret->keeper_user, sizeof(ret->keeper_user)) ||
                           !text_take(users, "sealer", ret->sealer_user, sizeof(ret->sealer_user)) ||
                           !text_take(users, "gate", ret->gate_user, sizeof(ret->gate_user)) ||
                           !text_take(users, "sandbox", ret->sandbox_user, sizeof(ret->sandbox_user)))) {
        return "\"users\" must name keeper, sealer, gate and sandbox";
    }
    return NULL;
}

enum tg_err tg_instance_read(struct tg_span text, struct tg_instance *ret, char *why, size_t why_size)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    const char *wrong;

    if (root == NULL) {
        (void)snprintf(why, why_size, "line %d: %s", error.line, error.text);
        return TG_ERR_INPUT;
    }
    wrong = instance_fill(root, ret);
    json_decref(root);
    if (wrong != NULL) {
        (void)snprintf(why, why_size, "%s", wrong);
        return TG_ERR_INPUT;
    }
    return TG_OK;
}

bool tg_instance_part(const struct tg_instance *instance)
{
    char path[TG_PATH_BYTES_MAX];
    bool part = !tg_file_exists(tg_instance_path(instance, "tollgate.json", path)) &&
                tg_file_exists(tg_instance_path(instance, "keys", path));

    if (part) {
        tg_complain("%s holds a part of an instance, without tollgate.json. After an `init` that did not end: remove "
                    "the folder, then init again. If it has served: put its tollgate.json back from the backup",
                    instance->dir);
    }
    return part;
}

const char *tg_instance_url(const struct tg_instance *instance, char ret[TG_INSTANCE_URL_BYTES_MAX])
{
    bool any = strncmp(instance->listen, "0.0.0.0:", 8) == 0 || strncmp(instance->listen, "[::]:", 5) == 0;

    (void)snprintf(ret, TG_INSTANCE_URL_BYTES_MAX, "https://%s%s", any ? "localhost" : "",
                   any ? strrchr(instance->listen, ':') : instance->listen);
    return ret;
}

enum tg_err tg_instance_open(const struct tg_arguments *arguments, const char *word, struct tg_instance *ret)
{
    static char text[INSTANCE_FILE_BYTES_MAX];
    struct tg_buf buf = tg_buf(text, sizeof(text));
    char path[TG_PATH_BYTES_MAX];
    char why[200];
    enum tg_err err = tg_instance_find(arguments, word, ret);

    if (err != TG_OK) {
        return err;
    }
    err = tg_file_read(tg_instance_path(ret, "tollgate.json", path), false, &buf);
    if (err == TG_ERR_ABSENT && tg_instance_part(ret)) {
        return err;
    }
    if (err == TG_ERR_ABSENT) {
        tg_complain("%s holds no instance. Make one with: tollgate init %s", ret->dir, ret->dir);
        return err;
    }
    if (err != TG_OK) {
        return err;
    }
    err = tg_instance_read(tg_buf_span(&buf), ret, why, sizeof(why));
    if (err != TG_OK) {
        tg_complain("%s: %s", path, why);
    }
    return err;
}

enum tg_err tg_address_parse(const char *text, char host[TG_ADDRESS_CHARS_MAX], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    unsigned char bytes[16];
    int64_t number;
    size_t len;

    if (colon == NULL || colon == text || tg_number_parse(colon + 1, &number) != TG_OK || number < 1 ||
        number > 65535) {
        return TG_ERR_INPUT;
    }
    len = (size_t)(colon - text);
    if (text[0] == '[') {
        if (text[len - 1] != ']') {
            return TG_ERR_INPUT;
        }
        text++;
        len -= 2;
    }
    if (len == 0 || len >= TG_ADDRESS_CHARS_MAX) {
        return TG_ERR_INPUT;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, bytes) != 1 && inet_pton(AF_INET6, host, bytes) != 1) {
        return TG_ERR_INPUT;
    }
    *port = (uint16_t)number;
    return TG_OK;
}

enum tg_err tg_user_find(const char *name, struct tg_owner *ret)
{
    const struct passwd *entry;

    *ret = TG_OWNER_SELF;
    if (name[0] == '\0') {
        return TG_OK;
    }
    entry = getpwnam(name);
    if (entry == NULL) {
        tg_complain("there is no system user %s: run `tollgate doctor`", name);
        return TG_ERR_ABSENT;
    }
    ret->uid = entry->pw_uid;
    ret->gid = entry->pw_gid;
    return TG_OK;
}
