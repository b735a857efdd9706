/*
 * profile_sample.h - making profiles in tests from parts.
 *
 * Promises: a profile whose "operations" and further members the test gives.
 * Does not: belong to any program. For tests beside it only.
 */
#ifndef TG_CORE_PAYMENT_PROFILE_SAMPLE_H
#define TG_CORE_PAYMENT_PROFILE_SAMPLE_H

#include "base/buf.h"
#include "core/payment/profile.h"

#define PROFILE_SAMPLE_OPERATION                                                                                       \
    "{\"name\":\"pay\",\"method\":\"POST\",\"path\":\"/v1/pay\",\"body\":\"json\",\"idempotency\":\"required\","       \
    "\"money_moving\":true,\"amount\":{\"at\":\"/amount\",\"kind\":\"minor\",\"required\":true},"                      \
    "\"currency\":\"/currency\"}"
#define PROFILE_SAMPLE_IDEMPOTENCY                                                                                     \
    "\"idempotency\":{\"field\":\"idempotency-key\",\"key_bytes_max\":255,\"ttl_s\":86400}"

/* Parses a whole text into memory that the next call uses again. NULL: refused, *why says why. */
static inline const struct tg_profile *profile_sample_text(const char *text, struct tg_profile_error *why)
{
    static uint8_t block[512 * 1024];
    const struct tg_profile *profile = NULL;
    struct tg_arena arena = tg_arena(block, sizeof block);
    enum tg_err err = tg_profile_parse(tg_span_string(text), &arena, &profile, why);
    return err == TG_OK ? profile : NULL;
}

/* Name, credential field and idempotency as usual; members begins with ',' or is empty. */
static inline const struct tg_profile *profile_sample(const char *operations, const char *members,
                                                      struct tg_profile_error *why)
{
    static char text[64 * 1024];
    struct tg_buf out = tg_buf(text, sizeof text - 1);
    tg_buf_put_string(&out, "{\"name\":\"sample\",\"credential_field\":\"authorization\"," PROFILE_SAMPLE_IDEMPOTENCY);
    tg_buf_put_string(&out, members);
    tg_buf_put_string(&out, ",\"operations\":[");
    tg_buf_put_string(&out, operations);
    tg_buf_put_string(&out, "]}");
    text[out.len] = '\0';
    return profile_sample_text(text, why);
}

#endif
