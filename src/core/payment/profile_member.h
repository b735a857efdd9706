/*
 * profile_member.h - taking typed members out of a profile's objects, with errors that say where.
 *
 * Promises: each taker leaves *ret as it is when an optional member is absent,
 * so that defaults stand where the profile is made.
 * Does not: know what the members mean. For profile*.c only.
 */
#ifndef TG_CORE_PAYMENT_PROFILE_MEMBER_H
#define TG_CORE_PAYMENT_PROFILE_MEMBER_H

#include "core/json/value.h"
#include "core/payment/profile.h"

struct tg_profile_reader {
    struct tg_profile *profile;
    struct tg_profile_error *why;
};

/* A name of our own and the number that stands for it. */
struct tg_profile_word {
    const char *text;
    uint8_t value;
};

/* Says "POINTER: text" and gives TG_ERR_INPUT. */
TG_MUST_CHECK enum tg_err tg_profile_fail(struct tg_profile_reader *reader, const struct tg_value *value,
                                          const char *text);

/* object must be an object that has no member but these; names ends with NULL. */
TG_MUST_CHECK enum tg_err tg_profile_members_check(struct tg_profile_reader *reader, const struct tg_value *object,
                                                   const char *const *names);

/* A string of 1..bytes_max bytes. */
TG_MUST_CHECK enum tg_err tg_profile_string(struct tg_profile_reader *reader, const struct tg_value *object,
                                            const char *name, bool required, size_t bytes_max, struct tg_span *ret);

TG_MUST_CHECK enum tg_err tg_profile_bool(struct tg_profile_reader *reader, const struct tg_value *object,
                                          const char *name, bool *ret);

/* An integer within min..max; always required. */
TG_MUST_CHECK enum tg_err tg_profile_integer(struct tg_profile_reader *reader, const struct tg_value *object,
                                             const char *name, int64_t min, int64_t max, int64_t *ret);

/* One of words; text NULL ends them. */
TG_MUST_CHECK enum tg_err tg_profile_choice(struct tg_profile_reader *reader, const struct tg_value *object,
                                            const char *name, bool required, const struct tg_profile_word *words,
                                            uint8_t *ret);

/* A JSON Pointer that is not empty. */
TG_MUST_CHECK enum tg_err tg_profile_pointer(struct tg_profile_reader *reader, const struct tg_value *object,
                                             const char *name, bool required, struct tg_span *ret);

/* A field name in lower case. */
TG_MUST_CHECK enum tg_err tg_profile_field(struct tg_profile_reader *reader, const struct tg_value *object,
                                           const char *name, struct tg_span *ret);

/* True for a lower-case field name of at most TG_NAME_BYTES_MAX bytes. */
bool tg_profile_field_ok(struct tg_span name);

/* True for 1..TG_NAME_BYTES_MAX of [a-z0-9._-]: names of profiles and operations. */
bool tg_profile_name_ok(struct tg_span name);

/* profile_operation.c: one element of "operations" into the next free operation. */
TG_MUST_CHECK enum tg_err tg_profile_operation_read(struct tg_profile_reader *reader, const struct tg_value *value);

/* profile_status.c: the defaults, then "status" (NULL: absent). */
TG_MUST_CHECK enum tg_err tg_profile_status_read(struct tg_profile_reader *reader, const struct tg_value *status);

#endif
