/*
 * apikey.c - see apikey.h. The file is written first: a key whose hash is known but whose text is lost is worthless,
 * a file without a registered hash opens nothing and is removed again.
 */
#include "cli/apikey.h"

#include "cli/command.h"
#include "core/http/field.h"
#include "crypto/crypto.h"

#include <string.h>
#include <unistd.h>

struct apikey_secret {
    uint8_t random[32];
    char text[TG_API_KEY_CHARS + 1]; /* with its line end */
    uint8_t hash[TG_DIGEST_BYTES];
};

static bool operation_char(char at)
{
    return (at >= 'a' && at <= 'z') || (at >= '0' && at <= '9') || at == '.' || at == '_' || at == '-';
}

json_t *tg_apikey_operations(const char *operations)
{
    json_t *array = json_array();
    const char *at = operations;

    while (array != NULL) {
        size_t len = strcspn(at, ",");
        bool fine = len > 0 && len <= TG_NAME_BYTES_MAX;
        size_t i;

        for (i = 0; fine && i < len; i++) {
            fine = operation_char(at[i]) || (len == 1 && at[0] == '*');
        }
        if (!fine || json_array_append_new(array, json_stringn(at, len)) != 0) {
            json_decref(array);
            return NULL;
        }
        if (at[len] == '\0') {
            break;
        }
        at += len + 1;
    }
    return array;
}

static enum tg_err apikey_register(struct tg_admin *admin, const struct tg_apikey_wish *wish,
                                   const struct apikey_secret *secret, json_t *operations, json_int_t *id)
{
    char hex[TG_DIGEST_BYTES * 2];
    struct tg_buf out = tg_buf(hex, sizeof(hex));
    json_t *arguments;
    json_t *result = NULL;
    enum tg_err err;

    tg_buf_put_hex(&out, tg_span(secret->hash, sizeof(secret->hash)));
    err = tg_buf_done(&out);
    if (err != TG_OK) {
        return err;
    }
    arguments = json_pack("{s:s, s:s, s:O, s:s#, s:s#, s:I}", "partner", wish->partner, "environment",
                          wish->live ? "live" : "test", "operations", operations, "hash", hex, (int)sizeof(hex),
                          "prefix", secret->text, TG_API_KEY_PREFIX_CHARS, "expires_s", (json_int_t)wish->expires_s);
    err = tg_admin_ask(admin, "key.create", arguments, &result);
    if (err == TG_OK) {
        *id = json_integer_value(json_is_object(result) ? json_object_get(result, "id") : result);
    }
    json_decref(result);
    return err;
}

enum tg_err tg_apikey_make(struct tg_admin *admin, const struct tg_apikey_wish *wish, json_int_t *id)
{
    json_t *operations = tg_apikey_operations(wish->operations);
    struct apikey_secret secret;
    enum tg_err err;

    *id = 0;
    if (operations == NULL) {
        tg_complain("--operations must be names of the profile's operations with commas between, or \"*\"");
        return TG_ERR_INPUT;
    }
    err = tg_random(secret.random, sizeof(secret.random));
    if (err == TG_OK) {
        tg_api_key_write(secret.random, wish->live, secret.text);
        secret.text[TG_API_KEY_CHARS] = '\n';
        err = tg_sha256(tg_span(secret.text, TG_API_KEY_CHARS), secret.hash);
    }
    if (err == TG_OK) {
        err = tg_file_new(wish->out, 0600, TG_OWNER_SELF, tg_span(secret.text, sizeof(secret.text)));
    }
    if (err == TG_OK) {
        err = apikey_register(admin, wish, &secret, operations, id);
        if (err != TG_OK) {
            (void)unlink(wish->out);
        } else if (wish->show) {
            (void)printf("%.*s\n", TG_API_KEY_CHARS, secret.text);
        }
    }
    tg_wipe(&secret, sizeof(secret));
    json_decref(operations);
    return err;
}
