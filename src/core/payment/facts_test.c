/* facts_test.c - what calls say in both encodings, every refusal with its pointer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/payment/profile_sample.h"

static struct tg_profile_error why;
static struct tg_facts facts;
static struct tg_pointer where;

#define FACTS                                                                                                          \
    "\"currency\":\"/currency\",\"payee\":\"/payee/account\",\"payer\":\"/payer/id\",\"instrument\":\"/card/token\""
#define AMOUNT(kind) "\"amount\":{\"at\":\"/amount\",\"kind\":\"" kind "\",\"required\":true}"
#define OPERATION(name, body, more)                                                                                    \
    "{\"name\":\"" name "\",\"method\":\"POST\",\"path\":\"/" name "\",\"body\":\"" body "\"" more "}"

enum { JSON_MINOR, JSON_DECIMAL, FORM_MINOR, JSON_OPTIONAL, BARE, JSON_PLAIN };
static const char operations[] =
    OPERATION("a", "json", "," AMOUNT("minor") "," FACTS) "," OPERATION("b", "json", "," AMOUNT("decimal") "," FACTS) "," OPERATION(
        "c", "form",
        "," AMOUNT(
            "minor") "," FACTS) "," OPERATION("d", "json",
                                              ",\"body_optional\":true,\"amount\":{\"at\":\"/"
                                              "amount\",\"kind\":\"minor\"}") "," OPERATION("e", "none",
                                                                                            "") "," OPERATION("f",
                                                                                                              "json",
                                                                                                              "");

static enum tg_reason read_with(const char *members, size_t operation, const char *type, struct tg_span body)
{
    const struct tg_profile *profile = profile_sample(operations, members, &why);
    assert_non_null(profile);
    size_t size = tg_facts_arena_size(body.len);
    static uint8_t *block;
    free(block); /* the last call's facts borrow from it until now */
    block = malloc(size);
    assert_non_null(block);
    struct tg_arena arena = tg_arena(block, size);
    enum tg_reason reason = tg_facts_read(profile, &profile->operations[operation], tg_span_string(type), TG_SPAN(""),
                                          body, &arena, &facts, &where);
    assert_int_equal(strlen(where.text), where.len);
    return reason;
}

static enum tg_reason read_body(size_t operation, const char *body)
{
    const char *type = operation == FORM_MINOR ? "application/x-www-form-urlencoded" : "application/json";
    return read_with("", operation, type, tg_span_string(body));
}

static void json_facts_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_body(JSON_MINOR,
                               "{\"amount\":1050,\"currency\":\"EUR\",\"payee\":{\"account\":\"acc\"},"
                               "\"payer\":{\"id\":\"\\u0041b\"},\"card\":{\"token\":\"tok\"},\"other\":[1,2]}"),
                     TG_REASON_OK);
    assert_true(facts.has_amount);
    assert_int_equal(facts.amount_minor, 1050);
    assert_string_equal(facts.currency, "EUR");
    assert_int_equal(facts.exponent, 2);
    assert_true(tg_span_equal(facts.payee, TG_SPAN("acc")));
    assert_true(tg_span_equal(facts.payer, TG_SPAN("Ab")));
    assert_true(tg_span_equal(facts.instrument, TG_SPAN("tok")));
    assert_false(facts.card_number_in_clear);
    assert_int_equal(where.len, 0);
    assert_int_equal(read_body(JSON_DECIMAL, "{\"amount\":\"1.5\",\"currency\":\"BHD\"}"), TG_REASON_OK);
    assert_int_equal(facts.amount_minor, 1500);
    assert_int_equal(facts.payee.len, 0);
    assert_int_equal(read_body(JSON_DECIMAL, "{\"amount\":\"15\",\"currency\":\"JPY\"}"), TG_REASON_OK);
    assert_int_equal(facts.amount_minor, 15);
}

static void form_facts_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_body(FORM_MINOR, "amount=1050&currency=USD&payee[account]=a%20b&payer%5Bid%5D=p"),
                     TG_REASON_OK);
    assert_int_equal(facts.amount_minor, 1050);
    assert_string_equal(facts.currency, "USD");
    assert_true(tg_span_equal(facts.payee, TG_SPAN("a b")));
    assert_true(tg_span_equal(facts.payer, TG_SPAN("p")));
}

static void currency_case_is_the_profiles(void **state)
{
    (void)state;
    struct tg_span body = TG_SPAN("{\"amount\":1,\"currency\":\"usd\"}");
    assert_int_equal(read_with("", JSON_MINOR, "application/json", body), TG_REASON_CURRENCY_UNKNOWN);
    assert_int_equal(read_with(",\"currency_case\":\"any\"", JSON_MINOR, "application/json", body), TG_REASON_OK);
    assert_string_equal(facts.currency, "USD");
}

static void refusals_point_at_their_cause(void **state)
{
    (void)state;
    static const struct {
        size_t operation;
        const char *body;
        enum tg_reason reason;
        const char *pointer;
    } rows[] = {
        {JSON_MINOR, "{\"currency\":\"EUR\"}", TG_REASON_MEMBER_MISSING, "/amount"},
        {JSON_MINOR, "{\"amount\":1}", TG_REASON_MEMBER_MISSING, "/currency"},
        {JSON_MINOR, "{\"amount\":\"1\",\"currency\":\"EUR\"}", TG_REASON_MEMBER_TYPE, "/amount"},
        {JSON_MINOR, "{\"amount\":null,\"currency\":\"EUR\"}", TG_REASON_MEMBER_TYPE, "/amount"},
        {JSON_MINOR, "{\"amount\":true,\"currency\":\"EUR\"}", TG_REASON_MEMBER_TYPE, "/amount"},
        {JSON_MINOR, "{\"amount\":[],\"currency\":\"EUR\"}", TG_REASON_MEMBER_TYPE, "/amount"},
        {JSON_MINOR, "{\"amount\":{},\"currency\":\"EUR\"}", TG_REASON_MEMBER_TYPE, "/amount"},
        {JSON_MINOR, "{\"amount\":1e2,\"currency\":\"EUR\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_MINOR, "{\"amount\":-0,\"currency\":\"EUR\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_MINOR, "{\"amount\":-1,\"currency\":\"EUR\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_MINOR, "{\"amount\":1.005,\"currency\":\"EUR\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_MINOR, "{\"amount\":10.0,\"currency\":\"EUR\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_MINOR, "{\"amount\":9223372036854775808,\"currency\":\"EUR\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_MINOR, "{\"amount\":NaN,\"currency\":\"EUR\"}", TG_REASON_JSON_SYNTAX, "/amount"},
        {JSON_MINOR, "{\"amount\":1,\"amount\":2,\"currency\":\"EUR\"}", TG_REASON_JSON_DUPLICATE_MEMBER, "/amount"},
        {JSON_MINOR, "{\"amount\":1,\"Amount\":2,\"currency\":\"EUR\"}", TG_REASON_JSON_DUPLICATE_MEMBER, "/Amount"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":\"EUR\",\"CURRENCY\":1}", TG_REASON_JSON_DUPLICATE_MEMBER,
         "/CURRENCY"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":\"EUR\",\"Payee\":{}}", TG_REASON_JSON_DUPLICATE_MEMBER, "/Payee"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":\"EUR\",\"payer\":{\"iD\":\"a\"}}", TG_REASON_JSON_DUPLICATE_MEMBER,
         "/payer/iD"},
        {JSON_OPTIONAL, "{\"AMOUNT\":500}", TG_REASON_JSON_DUPLICATE_MEMBER, "/AMOUNT"},
        {FORM_MINOR, "amount=1&aMount=2&currency=USD", TG_REASON_FORM_DUPLICATE_MEMBER, "/aMount"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":978}", TG_REASON_MEMBER_TYPE, "/currency"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":null}", TG_REASON_MEMBER_TYPE, "/currency"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":\"XXX\"}", TG_REASON_CURRENCY_UNKNOWN, "/currency"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":\"EURO\"}", TG_REASON_CURRENCY_UNKNOWN, "/currency"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":\"EUR\",\"payee\":{\"account\":1}}", TG_REASON_MEMBER_TYPE,
         "/payee/account"},
        {JSON_MINOR, "{\"amount\":1,\"currency\":\"EUR\",\"payer\":{\"id\":[]}}", TG_REASON_MEMBER_TYPE, "/payer/id"},
        {JSON_MINOR, "[]", TG_REASON_MEMBER_TYPE, ""},
        {JSON_MINOR, "1", TG_REASON_MEMBER_TYPE, ""},
        {JSON_MINOR, "", TG_REASON_JSON_SYNTAX, ""},
        {JSON_MINOR, "{\"a\":\"\xff\"}", TG_REASON_ENCODING, "/a"},
        {JSON_DECIMAL, "{\"amount\":10.5,\"currency\":\"EUR\"}", TG_REASON_MEMBER_TYPE, "/amount"},
        {JSON_DECIMAL, "{\"amount\":\"10.505\",\"currency\":\"EUR\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_DECIMAL, "{\"amount\":\"1.5\",\"currency\":\"JPY\"}", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {JSON_DECIMAL, "{\"amount\":\"1.5\"}", TG_REASON_MEMBER_MISSING, "/currency"},
        {FORM_MINOR, "amount=1e2&currency=USD", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {FORM_MINOR, "amount=&currency=USD", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {FORM_MINOR, "amount=+1&currency=USD", TG_REASON_AMOUNT_MALFORMED, "/amount"},
        {FORM_MINOR, "amount=1&amount=2&currency=USD", TG_REASON_FORM_DUPLICATE_MEMBER, "/amount"},
        {FORM_MINOR, "amount[]=1&currency=USD", TG_REASON_MEMBER_TYPE, "/amount"},
        {FORM_MINOR, "currency=USD", TG_REASON_MEMBER_MISSING, "/amount"},
        {FORM_MINOR, "", TG_REASON_MEMBER_MISSING, "/amount"},
        {FORM_MINOR, "amount=1&currency=USD&x=%", TG_REASON_FORM_SYNTAX, "/x"},
        {FORM_MINOR, "amount=1&currency=USD&payee[account][x]=1", TG_REASON_MEMBER_TYPE, "/payee/account"},
        {JSON_OPTIONAL, "{\"amount\":\"5\"}", TG_REASON_MEMBER_TYPE, "/amount"},
        {JSON_OPTIONAL, " ", TG_REASON_JSON_SYNTAX, ""},
        {BARE, "x", TG_REASON_BODY_UNEXPECTED, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_body(rows[i].operation, rows[i].body), rows[i].reason);
        assert_string_equal(where.text, rows[i].pointer);
    }
}

static void optional_bodies_and_amounts(void **state)
{
    (void)state;
    assert_int_equal(read_with("", JSON_OPTIONAL, "", TG_SPAN("")), TG_REASON_OK);
    assert_false(facts.has_amount);
    assert_int_equal(read_with("", JSON_OPTIONAL, "application/x-www-form-urlencoded", TG_SPAN("")), TG_REASON_OK);
    assert_int_equal(read_body(JSON_OPTIONAL, "{}"), TG_REASON_OK);
    assert_false(facts.has_amount);
    assert_int_equal(read_body(JSON_OPTIONAL, "{\"amount\":1,\"amount\\u0000\":500}"), TG_REASON_JSON_DUPLICATE_MEMBER);
    assert_int_equal(read_body(JSON_OPTIONAL, "{\"amounts\":1,\"amoun\":2,\"a\":{\"Amount\":3}}"), TG_REASON_OK);
    assert_int_equal(read_body(JSON_OPTIONAL, "{\"amount\":500}"), TG_REASON_OK);
    assert_true(facts.has_amount);
    assert_int_equal(facts.amount_minor, 500);
    assert_string_equal(facts.currency, "");
    assert_int_equal(facts.exponent, 0);
    assert_int_equal(read_with("", BARE, "text/plain", TG_SPAN("")), TG_REASON_OK);
    assert_int_equal(
        read_body(JSON_MINOR, "{\"amount\":1,\"currency\":\"EUR\",\"payee\":{\"account\":null},\"payer\":7}"),
        TG_REASON_OK);
    assert_int_equal(facts.payee.len, 0);
}

static void media_types_and_codings(void **state)
{
    (void)state;
    struct tg_span body = TG_SPAN("{\"amount\":1,\"currency\":\"EUR\"}");
    assert_int_equal(read_with("", JSON_MINOR, "", body), TG_REASON_MEDIA_TYPE);
    assert_int_equal(read_with("", JSON_MINOR, "text/plain", body), TG_REASON_MEDIA_TYPE);
    assert_int_equal(read_with("", JSON_MINOR, "application/x-www-form-urlencoded", body), TG_REASON_MEDIA_TYPE);
    assert_int_equal(read_with("", JSON_MINOR, "application/json; charset=utf-16", body), TG_REASON_MEDIA_TYPE);
    assert_int_equal(read_with("", JSON_MINOR, "application/json; charset=UTF-8", body), TG_REASON_OK);
    assert_int_equal(read_with("", FORM_MINOR, "application/json", body), TG_REASON_MEDIA_TYPE);
    const struct tg_profile *profile = profile_sample(operations, "", &why);
    static uint8_t block[8192];
    static const char *const codings[] = {"gzip", "identity, gzip", "br", "x", "identity ", " "};
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        struct tg_arena arena = tg_arena(block, sizeof block);
        assert_int_equal(tg_facts_read(profile, &profile->operations[0], TG_SPAN("application/json"),
                                       tg_span_string(codings[i]), body, &arena, &facts, &where),
                         TG_REASON_ENCODING);
    }
    struct tg_arena arena = tg_arena(block, sizeof block);
    assert_int_equal(tg_facts_read(profile, &profile->operations[0], TG_SPAN("application/json"), TG_SPAN("Identity"),
                                   body, &arena, &facts, &where),
                     TG_REASON_OK);
    arena = tg_arena(block, 64);
    assert_int_equal(tg_facts_read(profile, &profile->operations[0], TG_SPAN("application/json"), TG_SPAN(""), body,
                                   &arena, &facts, &where),
                     TG_REASON_JSON_LIMIT);
}

/* A number that passes Luhn, made of a repeated pair; never shown. */
#define CARD                                                                                                           \
    "4242"                                                                                                             \
    "4242"                                                                                                             \
    "4242"                                                                                                             \
    "4242"

static void card_numbers_are_reported_and_never_pointed_at(void **state)
{
    (void)state;
    assert_int_equal(read_body(JSON_PLAIN, "{\"a\":{\"number\":\"" CARD "\"}}"), TG_REASON_OK);
    assert_true(facts.card_number_in_clear);
    assert_int_equal(read_body(FORM_MINOR, "amount=1&currency=USD&card[number]=" CARD), TG_REASON_OK);
    assert_true(facts.card_number_in_clear);
    assert_int_equal(read_body(FORM_MINOR, "amount=1&currency=USD&" CARD "=1"), TG_REASON_OK);
    assert_true(facts.card_number_in_clear);
    assert_int_equal(read_body(JSON_PLAIN, "{\"a\":1}"), TG_REASON_OK);
    assert_false(facts.card_number_in_clear);
    assert_int_equal(read_body(JSON_PLAIN, "{\"" CARD "\":x}"), TG_REASON_JSON_SYNTAX);
    assert_string_equal(where.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_facts_are_read),
        cmocka_unit_test(form_facts_are_read),
        cmocka_unit_test(currency_case_is_the_profiles),
        cmocka_unit_test(refusals_point_at_their_cause),
        cmocka_unit_test(optional_bodies_and_amounts),
        cmocka_unit_test(media_types_and_codings),
        cmocka_unit_test(card_numbers_are_reported_and_never_pointed_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
