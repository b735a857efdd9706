/*
 * nginx_conf.c - fills templates/nginx.conf, which the build turns into lines of C strings.
 */
#include "cli/nginx_conf.h"


/* The paths of Stripe's dialect that the tour's second route serves. */
static const char *const stripe_paths[] = {"/v1/payment_intents", "/v1/refunds"};

/* Reasons that nginx's own refusals are given (core/policy/reason.c has their words). */
static const char *const problem_names[] = {"request_refused", "request_framing", "method_not_allowed",
                                            "body_too_large",  "expectation",     "headers_too_large",
                                            "transfer_coding", "rate_limited",    "credential_missing"};

static const char *const template_lines[] = {
#include "nginx_conf.inc"
};

static void stripe_put(struct tg_buf *out, const char *dir)
{
    size_t i;

    for (i = 0; i < sizeof(stripe_paths) / sizeof(stripe_paths[0]); i++) {
        tg_buf_put_string(out, "        location ");
        tg_buf_put_string(out, stripe_paths[i]);
        tg_buf_put_string(out, " {\n            tollgate_route stripe;\n            tollgate_profile ");
        tg_buf_put_string(out, dir);
        tg_buf_put_string(out, "/profiles/stripe.json;\n            tollgate_shape stripe;\n"
                               "            proxy_pass http://tollgate_upstream;\n        }\n");
    }
}

static void problems_put(struct tg_buf *out)
{
    size_t i;

    for (i = 0; i < sizeof(problem_names) / sizeof(problem_names[0]); i++) {
        tg_buf_put_string(out, "        location = /.tollgate/");
        tg_buf_put_string(out, problem_names[i]);
        tg_buf_put_string(out, " {\n            internal;\n            tollgate off;\n            tollgate_problem ");
        tg_buf_put_string(out, problem_names[i]);
        tg_buf_put_string(out, ";\n        }\n");
    }
}

static bool name_is(struct tg_span name, const char *word)
{
    return tg_span_equal(name, tg_span_string(word));
}

static enum tg_err value_put(const struct tg_nginx_conf *wish, struct tg_span name, struct tg_buf *out)
{
    if (name_is(name, "DIR")) {
        tg_buf_put_string(out, wish->dir);
    } else if (name_is(name, "MODULE")) {
        tg_buf_put_string(out, wish->module);
    } else if (name_is(name, "USER")) {
        tg_buf_put_string(out, wish->user[0] == '\0' ? "# Not root: nginx runs as who starts it." : "user ");
        tg_buf_put_string(out, wish->user);
        tg_buf_put_string(out, wish->user[0] == '\0' ? "" : ";");
    } else if (name_is(name, "LISTEN")) {
        tg_buf_put_string(out, wish->listen);
    } else if (name_is(name, "STATUS_LISTEN")) {
        tg_buf_put_string(out, wish->status_listen);
    } else if (name_is(name, "UPSTREAM")) {
        tg_buf_put_string(out, wish->upstream);
    } else if (name_is(name, "PROFILE")) {
        tg_buf_put_string(out, wish->profile);
    } else if (name_is(name, "WORKERS")) {
        tg_buf_put_decimal(out, (int64_t)wish->workers);
    } else if (name_is(name, "DESCRIPTORS")) {
        tg_buf_put_decimal(out, (int64_t)wish->descriptors);
    } else if (name_is(name, "RATE")) {
        tg_buf_put_decimal(out, (int64_t)wish->rate_per_s);
    } else if (name_is(name, "BURST")) {
        tg_buf_put_decimal(out, (int64_t)wish->rate_per_s);
    } else if (name_is(name, "STRIPE")) {
        if (wish->stripe) {
            stripe_put(out, wish->dir);
        }
    } else if (name_is(name, "PROBLEMS")) {
        problems_put(out);
    } else {
        return TG_ERR_BUG;
    }
    return TG_OK;
}

enum tg_err tg_nginx_conf_write(const struct tg_nginx_conf *wish, struct tg_buf *out)
{
    size_t i;

    for (i = 0; i < sizeof(template_lines) / sizeof(template_lines[0]); i++) {
        struct tg_span rest = tg_span_string(template_lines[i]);

        while (rest.len > 0) {
            size_t open = tg_span_find(rest, '@');
            size_t close;
            enum tg_err err;

            tg_buf_put(out, tg_span_sub(rest, 0, open));
            if (open == rest.len) {
                break;
            }
            rest = tg_span_sub(rest, open + 1, rest.len);
            close = tg_span_find(rest, '@');
            if (close == rest.len) {
                return TG_ERR_BUG;
            }
            err = value_put(wish, tg_span_sub(rest, 0, close), out);
            if (err != TG_OK) {
                return err;
            }
            rest = tg_span_sub(rest, close + 1, rest.len);
        }
    }
    return tg_buf_done(out);
}
