/*
 * facts_fuzz.c - any bytes as the body of a payment; the first byte chooses the operation.
 *
 * Promises to find: reads outside the body or the arena, facts that break their own promises, a pointer that does not
 * end, a refusal that cannot be written.
 */
#include <stdlib.h>
#include <string.h>

#include "core/http/problem.h"
#include "core/payment/money.h"
#include "core/payment/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "{\"name\":\"fuzz\",\"credential_field\":\"authorization\",\"currency_case\":\"any\",\"idempotency\":{\"field\":"
    "\"k\","
    "\"key_bytes_max\":255,\"ttl_s\":60},\"operations\":["
    "{\"name\":\"a\",\"method\":\"POST\",\"path\":\"/a\",\"body\":\"json\",\"amount\":{\"at\":\"/"
    "amount\",\"kind\":\"minor\",\"required\":true},"
    "\"currency\":\"/currency\",\"payee\":\"/payee/account\",\"payer\":\"/payer/id\",\"instrument\":\"/list/0\"},"
    "{\"name\":\"b\",\"method\":\"POST\",\"path\":\"/b\",\"body\":\"json\",\"amount\":{\"at\":\"/"
    "amount\",\"kind\":\"decimal\"},"
    "\"currency\":\"/currency\"},"
    "{\"name\":\"c\",\"method\":\"POST\",\"path\":\"/"
    "c\",\"body\":\"form\",\"body_optional\":true,\"amount\":{\"at\":\"/amount\","
    "\"kind\":\"minor\"},\"currency\":\"/currency\",\"payee\":\"/payee/account\"}]}";

static const struct tg_profile *profile_get(void)
{
    static uint8_t block[64 * 1024];
    static const struct tg_profile *profile;
    if (profile == NULL) {
        struct tg_arena arena = tg_arena(block, sizeof block);
        struct tg_profile_error why;
        if (tg_profile_parse(tg_span(text, sizeof text - 1), &arena, &profile, &why) != TG_OK) {
            abort();
        }
    }
    return profile;
}

static void check(enum tg_reason reason, const struct tg_facts *facts, const struct tg_pointer *where)
{
    uint8_t memory[2 * TG_PROBLEM_BYTES_MAX];
    struct tg_buf out = tg_buf(memory, sizeof memory);
    struct tg_problem problem = {(uint16_t)reason, TG_PROBLEM_STRIPE, TG_SPAN("0"), tg_span(where->text, where->len)};
    if (where->len >= sizeof where->text || where->text[where->len] != '\0' || facts->amount_minor < 0 ||
        facts->amount_minor > TG_AMOUNT_MINOR_MAX || strlen(facts->currency) % 3 != 0 ||
        tg_problem_write(&out, &problem) != TG_OK || (reason == TG_REASON_OK && where->len != 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tg_profile *profile = profile_get();
    if (size == 0) {
        return 0;
    }
    const struct tg_operation *operation = &profile->operations[data[0] % profile->operation_count];
    size_t room = tg_facts_arena_size(size - 1);
    uint8_t *block = malloc(room);
    struct tg_arena arena = tg_arena(block, room);
    struct tg_facts facts;
    struct tg_pointer where;
    struct tg_span type =
        operation->body == TG_BODY_FORM ? TG_SPAN("application/x-www-form-urlencoded") : TG_SPAN("application/json");
    enum tg_reason reason =
        tg_facts_read(profile, operation, type, TG_SPAN(""), tg_span(data + 1, size - 1), &arena, &facts, &where);
    check(reason, &facts, &where);
    free(block);
    return 0;
}
