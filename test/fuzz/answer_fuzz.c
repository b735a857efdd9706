/*
 * answer_fuzz.c - any bytes as a stored answer, or as the fields of one to be stored.
 *
 * Promises to find: reads outside the bytes, an answer that is written back as other bytes, one that is written and
 * cannot be read, a field that comes back changed by more than the white space at its ends.
 */
#include "core/http/answer.h"
#include "core/http/field.h"

#include "fuzz.h"

static uint8_t room[256 * 1024];

static void check_read(struct tg_span stored)
{
    struct tg_answer answer;
    struct tg_buf out = tg_buf(room, sizeof(room));
    if (tg_answer_read(stored, &answer) != TG_OK) {
        tg_fuzz_expect(answer.field_count == 0 && answer.body.len == 0 && answer.status == 0);
        return;
    }
    tg_fuzz_expect(answer.field_count <= TG_ANSWER_FIELDS_MAX && answer.status >= 200 && answer.status <= 599);
    tg_fuzz_expect(tg_answer_write(&out, &answer) == TG_OK && tg_span_equal(tg_buf_span(&out), stored));
}

static void check_written(struct tg_span input)
{
    struct tg_answer answer = {0};
    struct tg_answer again;
    struct tg_buf out = tg_buf(room, sizeof(room));
    answer.status = (uint16_t)(tg_fuzz_u8(&input) * 3);
    size_t count = tg_fuzz_u8(&input) % (TG_ANSWER_FIELDS_MAX + 1);
    while (answer.field_count < count && input.len > 0) {
        struct tg_answer_field *field = &answer.fields[answer.field_count++];
        field->name = tg_fuzz_span(&input, tg_fuzz_u8(&input) % 32);
        field->value = tg_fuzz_span(&input, tg_fuzz_u8(&input));
        tg_fuzz_expect(!tg_answer_field_kept(field->name) || tg_field_name_ok(field->name));
    }
    answer.body = input;
    if (tg_answer_write(&out, &answer) != TG_OK) {
        return;
    }
    tg_fuzz_expect(tg_answer_read(tg_buf_span(&out), &again) == TG_OK && again.status == answer.status &&
                   again.field_count == answer.field_count && tg_span_equal(again.body, answer.body));
    for (size_t i = 0; i < again.field_count; i++) {
        tg_fuzz_expect(tg_span_equal(again.fields[i].name, answer.fields[i].name) &&
                       tg_span_equal(again.fields[i].value, tg_span_trim(answer.fields[i].value)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size < sizeof(room) / 2 ? size : sizeof(room) / 2);
    if (tg_fuzz_u8(&input) % 2 == 0) {
        check_read(input);
    } else {
        check_written(input);
    }
    return 0;
}
