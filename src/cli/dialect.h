/*
 * dialect.h - a profile as the command line uses it: to make requests, where the gate uses it to read them.
 *
 * Promises: bodies are built from the same pointers by which the gate finds the
 * facts, so that `pay` speaks every dialect that has a profile.
 * Does not: send anything.
 */
#ifndef TG_CLI_DIALECT_H
#define TG_CLI_DIALECT_H

#include "base/buf.h"
#include "core/payment/profile.h"

struct tg_dialect {
    const struct tg_profile *profile;
    uint8_t *memory; /* to be freed with tg_dialect_close */
};

/* Reads and checks a profile file. Complains. */
TG_MUST_CHECK enum tg_err tg_dialect_open(const char *path, struct tg_dialect *ret);
TG_MUST_CHECK enum tg_err tg_dialect_parse(struct tg_span text, struct tg_dialect *ret, struct tg_profile_error *why);
void tg_dialect_close(struct tg_dialect *dialect);

/* Names of the operations that only read (GET), with commas between. Complains. */
TG_MUST_CHECK enum tg_err tg_dialect_read_operations(const char *path, char *ret, size_t ret_size);

/* The operation of that name, or NULL. */
const struct tg_operation *tg_dialect_operation(const struct tg_dialect *dialect, struct tg_span name);

/* What a payment says; NULL: leave it out. */
struct tg_dialect_wish {
    const char *amount;     /* as it is to stand in the body: already in the dialect's own form */
    bool amount_raw;        /* put it there untouched, whatever it is: for trying bad input */
    const char *currency;
    const char *payee;
    const char *payer;
    const char *instrument;
    const char *id;         /* for every {..} of the path */
};

/* The amount in minor units as the operation writes it: "1050" or "10.50". */
TG_MUST_CHECK enum tg_err tg_dialect_amount(const struct tg_operation *operation, int64_t amount_minor,
                                            uint8_t exponent, struct tg_buf *out);

/* The path with {..} filled in. TG_ERR_INPUT: an id is needed, or holds a byte that a path segment may not. */
TG_MUST_CHECK enum tg_err tg_dialect_path(const struct tg_operation *operation, const char *id, struct tg_buf *out);

/* The body: JSON or form, empty when the operation has none. */
TG_MUST_CHECK enum tg_err tg_dialect_body(const struct tg_operation *operation, const struct tg_dialect_wish *wish,
                                          struct tg_buf *out);

#endif
