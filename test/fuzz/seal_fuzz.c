/*
 * seal_fuzz.c - any bytes as works for the sealer, as results, or as the fields of works to be written.
 *
 * Promises to find: reads outside the body, a body that is written back as other bytes, a work that is not read as it
 * was written, a size that is not the one taken.
 */
#include "wire/seal.h"

#include "fuzz.h"

static uint8_t room[64 * 1024];

static void check_read(struct tg_span body, bool works)
{
    struct tg_buf out = tg_buf(room, sizeof(room));
    struct tg_cursor cursor = tg_cursor(body);
    struct tg_seal_writer writer;
    uint16_t count = 0;
    enum tg_err err = tg_seal_read_count(&cursor, &count);
    tg_fuzz_expect(count <= TG_SEAL_WORKS_MAX);
    tg_seal_begin(&writer, &out, works ? TG_FRAME_SEAL : TG_FRAME_SEAL_ANSWER, 0, 0);
    for (uint16_t i = 0; i < count && err == TG_OK; i++) {
        struct tg_seal_work work;
        struct tg_seal_result result;
        size_t before = out.len;
        err = works ? tg_seal_read_work(&cursor, &work) : tg_seal_read_result(&cursor, &result);
        if (err == TG_OK && works) {
            tg_seal_add_work(&writer, &work);
            tg_fuzz_expect(out.over || out.len - before == tg_seal_work_size(&work));
        } else if (err == TG_OK) {
            tg_seal_add_result(&writer, result.status, result.output);
        }
    }
    tg_seal_end(&writer);
    if (err == TG_OK && tg_cursor_done(&cursor) == TG_OK) {
        tg_fuzz_expect(tg_buf_done(&out) == TG_OK &&
                       tg_span_equal(tg_span_sub(tg_buf_span(&out), TG_FRAME_HEADER_BYTES, out.len), body));
    }
}

static void check_written(struct tg_span input)
{
    struct tg_buf out = tg_buf(room, sizeof(room));
    struct tg_seal_writer writer;
    struct tg_seal_work works[8];
    size_t count = 0;
    uint16_t read = 0;
    tg_seal_begin(&writer, &out, TG_FRAME_SEAL, 1, 2);
    while (count < 8 && input.len > 0) {
        struct tg_seal_work *work = &works[count++];
        work->operation = (uint8_t)(tg_fuzz_u8(&input) % TG_SEAL_GUARD + 1);
        work->key = tg_fuzz_u8(&input) * UINT32_C(0x01010101);
        bool sealing = work->operation == TG_SEAL_SEAL || work->operation == TG_SEAL_OPEN;
        work->aad = tg_fuzz_span(&input, sealing ? tg_fuzz_u8(&input) : 0);
        work->input = tg_fuzz_span(&input, tg_fuzz_u8(&input));
        tg_seal_add_work(&writer, work);
    }
    tg_seal_end(&writer);
    tg_fuzz_expect(tg_buf_done(&out) == TG_OK);
    struct tg_cursor cursor = tg_cursor(tg_span_sub(tg_buf_span(&out), TG_FRAME_HEADER_BYTES, out.len));
    tg_fuzz_expect(tg_seal_read_count(&cursor, &read) == TG_OK && read == count);
    for (size_t i = 0; i < count; i++) {
        struct tg_seal_work work;
        tg_fuzz_expect(tg_seal_read_work(&cursor, &work) == TG_OK && work.operation == works[i].operation &&
                       work.key == works[i].key && tg_span_equal(work.aad, works[i].aad) &&
                       tg_span_equal(work.input, works[i].input));
    }
    tg_fuzz_expect(tg_cursor_done(&cursor) == TG_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size < sizeof(room) / 2 ? size : sizeof(room) / 2);
    uint8_t what = tg_fuzz_u8(&input) % 3;
    if (what == 2) {
        check_written(input);
    } else {
        check_read(input, what == 0);
    }
    return 0;
}
