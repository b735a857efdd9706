/*
 * problem_fuzz.c - two bytes are a reason, one a shape, one the id's length; the rest is the pointer.
 *
 * Promises to find: a refusal that our own strict reader does not read, that is over its limit, that says another
 * pointer than the one given, or whose members differ between the shapes.
 */
#include "core/http/problem.h"
#include "core/json/json.h"
#include "core/payment/profile.h"

#include "naive.h"

static void check_member(const struct tg_value *root, struct tg_span pointer, struct tg_span text, bool must)
{
    const struct tg_value *value = tg_value_at(root, pointer);
    tg_fuzz_expect(value != NULL ? value->kind == TG_VALUE_STRING && tg_span_equal(value->text, text) : !must);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t block[512 * 1024];
    uint8_t memory[TG_PROBLEM_BYTES_MAX];
    struct tg_span input = tg_span(data, size);
    struct tg_problem problem = {0};
    size_t count = 0;
    const struct tg_reason_entry *all = tg_reason_all(&count);
    uint8_t chosen = tg_fuzz_u8(&input);
    uint8_t any = tg_fuzz_u8(&input);
    problem.reason = any % 16 == 0 ? (uint16_t)(any * 256 + chosen) : all[chosen % count].code;
    problem.shape = tg_fuzz_u8(&input) % 2 == 0 ? TG_PROBLEM_STRIPE : TG_PROBLEM_PLAIN;
    problem.request_id = tg_span("0123456789abcdef0123456789abcdef", tg_fuzz_u8(&input) % 33);
    problem.pointer = input;
    struct tg_buf out = tg_buf(memory, sizeof(memory));
    tg_fuzz_expect(tg_problem_write(&out, &problem) == TG_OK);

    struct tg_arena arena = tg_arena(block, sizeof(block));
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    tg_fuzz_expect(tg_json_parse(tg_buf_span(&out), &arena, &root, &place) == TG_REASON_OK);
    tg_fuzz_expect(naive_utf8_check(tg_buf_span(&out)) == out.len);
    const struct tg_reason_entry *entry = tg_reason_entry(problem.reason);
    check_member(root, TG_SPAN("/request_id"), problem.request_id, true);
    check_member(root, TG_SPAN("/reason"), tg_span_string(entry->name), true);
    check_member(root, TG_SPAN("/title"), tg_span_string(entry->title), true);
    check_member(root, TG_SPAN("/pointer"), problem.pointer, false);
    tg_fuzz_expect((tg_value_at(root, TG_SPAN("/error")) != NULL) == (problem.shape == TG_PROBLEM_STRIPE));
    return 0;
}
