/*
 * archive_fuzz.c - any bytes as a backup file, as its sealed pieces, and as what these hold.
 *
 * The first byte says what the rest is: a file; its pieces, some sealed under the right key, number and mark of the
 * last one, some not; the contents, sealed honestly; or a few words by which contents are composed that are sound
 * but for what the words spoil.
 * Promises to find: reads outside a piece or a file, bytes given out that no tag covers, pieces left out, moved or
 * added, a name that leads out of its folder, contents that are taken although a reader of thirty lines (below)
 * refuses them, or refused although it takes them.
 * Does not: test the disk; the file is in memory. Ask for more of scrypt than its least work.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/endian.h"
#include "cli/archive.h"

#include "fuzz.h"

#define FILE_BYTES_MAX 65536
#define PIECES_MAX 64 /* of one input: some are empty, so their number needs a bound of its own */
#define AAD_BYTES (TG_SEALED_HEAD_BYTES + 9)
#define WORK_AT 16
#define NAME_BYTES_MAX 200

static const char word[] = "a passphrase of the fuzzer";
static int file_fd = -1;
static char path[64];
static struct tg_sealed opened; /* head, key and memory of a file that was opened once: scrypt is slow */
static uint8_t contents[FILE_BYTES_MAX];

static void begin(void)
{
    char mine[64];
    file_fd = memfd_create("backup", MFD_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
    (void)snprintf(mine, sizeof(mine), "/dev/shm/tollgate-archive-fuzz.%d", (int)getpid());
    (void)unlink(mine);
    tg_fuzz_expect(tg_sealed_create(&opened, mine, tg_span_string(word), TG_SCRYPT_WORK_MIN) == TG_OK);
    (void)unlink(mine);
    (void)close(opened.fd);
    opened.fd = file_fd;
    /* The reader complains to people; libFuzzer keeps its own stream. */
    stderr = fopen("/dev/null", "w");
    tg_fuzz_expect(file_fd >= 0 && stderr != NULL);
}

static void file_put(struct tg_span bytes)
{
    tg_fuzz_expect(bytes.len == 0 || write(file_fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
}

static void file_begin(void)
{
    tg_fuzz_expect(ftruncate(file_fd, 0) == 0 && lseek(file_fd, 0, SEEK_SET) == 0);
}

/* ---- the second reader: contents in one block ---- */

static bool name_is_fine(struct tg_span name)
{
    size_t slashes = 0;
    bool first = true;
    for (size_t i = 0; i < name.len; i++) {
        bool slash = name.ptr[i] == '/';
        bool dot = name.ptr[i] == '.';
        bool plain = name.ptr[i] == '-' || name.ptr[i] == '_' || (name.ptr[i] >= '0' && name.ptr[i] <= '9') ||
                     ((name.ptr[i] | 32) >= 'a' && (name.ptr[i] | 32) <= 'z');
        if (first ? !plain : !plain && !slash && !dot) {
            return false;
        }
        slashes += slash;
        first = slash;
    }
    return name.len > 0 && name.len <= NAME_BYTES_MAX && !first && slashes <= 2;
}

static bool is_whole(struct tg_span bytes)
{
    struct tg_cursor in = tg_cursor(bytes);
    uint32_t count = 0;
    uint64_t total = 0;
    bool head = tg_cursor_u8(&in) == 'M';
    struct tg_span text = tg_cursor_span(&in, tg_cursor_u32(&in));
    json_t *about = in.bad || !head || text.len > 65536
                        ? NULL
                        : json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    json_decref(about);
    if (about == NULL) {
        return false;
    }
    for (;; count++) {
        uint8_t digest[TG_DIGEST_BYTES];
        uint8_t mark = tg_cursor_u8(&in);
        if (mark != 'F') {
            return mark == 'E' && tg_cursor_u32(&in) == count && tg_cursor_u64(&in) == total &&
                   tg_cursor_done(&in) == TG_OK;
        }
        uint16_t name_len = tg_cursor_u16(&in);
        (void)tg_cursor_u32(&in);
        uint64_t size = tg_cursor_u64(&in);
        struct tg_span name = tg_cursor_span(&in, name_len);
        if (in.bad || size > bytes.len || !name_is_fine(name)) {
            return false;
        }
        tg_fuzz_expect(tg_sha256(tg_cursor_span(&in, (size_t)size), digest) == TG_OK);
        struct tg_span told = tg_cursor_span(&in, sizeof(digest));
        if (in.bad || memcmp(told.ptr, digest, sizeof(digest)) != 0) {
            return false;
        }
        total += size;
    }
}

/* ---- ours ---- */

/* TG_OK: whole to the end. */
static enum tg_err read_all(struct tg_sealed *sealed)
{
    struct tg_archive archive = {.sealed = *sealed};
    struct tg_archive_file file;
    json_t *about = NULL;
    enum tg_err err = tg_archive_read_head(&archive, &about);
    json_decref(about);
    while (err == TG_OK && (err = tg_archive_next(&archive, &file)) == TG_OK) {
        tg_fuzz_expect(name_is_fine(tg_span_string(file.name)) && file.mode <= 0777);
        err = tg_archive_read_data(&archive, &file, -1);
    }
    *sealed = archive.sealed;
    return err == TG_ERR_ABSENT ? TG_OK : err;
}

static enum tg_err read_pieces(void)
{
    struct tg_sealed sealed = opened;
    sealed.number = 0;
    sealed.len = 0;
    sealed.have = 0;
    sealed.last = false;
    tg_fuzz_expect(lseek(file_fd, TG_SEALED_HEAD_BYTES, SEEK_SET) == TG_SEALED_HEAD_BYTES);
    return read_all(&sealed);
}

/* One piece, sealed as the number and the mark say. */
static void put_piece(uint64_t number, bool last, struct tg_span plain)
{
    static uint8_t cipher[FILE_BYTES_MAX + TG_SEALED_OVERHEAD_BYTES];
    uint8_t aad[AAD_BYTES];
    uint8_t length[4];
    size_t len = 0;
    memcpy(aad, opened.head, TG_SEALED_HEAD_BYTES);
    tg_be64_write(aad + TG_SEALED_HEAD_BYTES, number);
    aad[AAD_BYTES - 1] = last;
    tg_fuzz_expect(tg_aead_seal(opened.key, tg_span(aad, sizeof(aad)), plain, cipher, sizeof(cipher), &len) == TG_OK);
    tg_be32_write(length, (uint32_t)len);
    file_put(tg_span(length, sizeof(length)));
    file_put(tg_span(cipher, len));
}

/* ---- the ways ---- */

static void as_file(struct tg_span input)
{
    struct tg_sealed sealed;
    if (input.len > WORK_AT && input.ptr[WORK_AT] > TG_SCRYPT_WORK_MIN && input.ptr[WORK_AT] <= TG_SCRYPT_WORK_MAX) {
        return; /* sound, and slow */
    }
    file_begin();
    file_put(input);
    if (tg_sealed_open(&sealed, path, tg_span_string(word)) == TG_OK) {
        /* Nobody can have sealed it: the passphrase is not among the inputs. */
        tg_fuzz_expect(read_all(&sealed) != TG_OK);
    }
    tg_sealed_close(&sealed);
}

/* Commands: 0 as it should be, 1 another number, 2 the last, 3 bytes as they come; then u8 length and as many bytes. */
static void as_pieces(struct tg_span input)
{
    struct tg_buf joined = tg_buf(contents, sizeof(contents));
    bool sound = true;
    bool ended = false;
    file_begin();
    file_put(tg_span(opened.head, sizeof(opened.head)));
    for (uint64_t number = 0; input.len > 0 && number < PIECES_MAX; number++) {
        uint8_t how = tg_fuzz_u8(&input) % 4;
        struct tg_span bytes = tg_fuzz_span(&input, tg_fuzz_u8(&input));
        if (how == 3) {
            file_put(bytes);
            sound = sound && bytes.len == 0;
            number -= bytes.len == 0;
        } else {
            put_piece(number + (how == 1), how == 2, bytes);
            sound = sound && how != 1 && !ended;
            ended = ended || how == 2;
            tg_buf_put(&joined, bytes);
        }
    }
    tg_fuzz_expect((read_pieces() == TG_OK) == (sound && ended && is_whole(tg_buf_span(&joined))));
}

static void as_contents(struct tg_span bytes, uint8_t cut)
{
    bool whole = is_whole(bytes);
    size_t piece = bytes.len / PIECES_MAX + 1 + cut;
    file_begin();
    file_put(tg_span(opened.head, sizeof(opened.head)));
    for (uint64_t number = 0;; number++) {
        struct tg_span part = tg_span_sub(bytes, 0, piece);
        bytes = tg_span_sub(bytes, piece, bytes.len);
        put_piece(number, bytes.len == 0, part);
        if (bytes.len == 0) {
            break;
        }
    }
    tg_fuzz_expect((read_pieces() == TG_OK) == whole);
}

/* Commands a file: u8 (bit 0: wrong digest, bit 1: wrong size), u8 and a name, u8 and its bytes. */
static void as_words(struct tg_span input, uint8_t cut)
{
    struct tg_buf out = tg_buf(contents, sizeof(contents));
    uint32_t count = 0;
    uint64_t total = 0;
    uint8_t digest[TG_DIGEST_BYTES];
    tg_buf_put_u8(&out, 'M');
    tg_buf_put_u32(&out, 2);
    tg_buf_put_string(&out, "{}");
    for (; input.len > 1 && out.len < sizeof(contents) / 2; count++) {
        uint8_t how = tg_fuzz_u8(&input);
        struct tg_span name = tg_fuzz_span(&input, tg_fuzz_u8(&input));
        struct tg_span bytes = tg_fuzz_span(&input, tg_fuzz_u8(&input));
        uint64_t size = bytes.len + (how >> 1 & 1);
        tg_fuzz_expect(tg_sha256(bytes, digest) == TG_OK);
        digest[0] = (uint8_t)(digest[0] ^ (how & 1));
        tg_buf_put_u8(&out, 'F');
        tg_buf_put_u16(&out, (uint16_t)name.len);
        tg_buf_put_u32(&out, 0600);
        tg_buf_put_u64(&out, size);
        tg_buf_put(&out, name);
        tg_buf_put(&out, bytes);
        tg_buf_put(&out, tg_span(digest, sizeof(digest)));
        total += size;
    }
    tg_buf_put_u8(&out, 'E');
    tg_buf_put_u32(&out, count + tg_fuzz_u8(&input) % 2);
    tg_buf_put_u64(&out, total);
    as_contents(tg_buf_span(&out), cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size < FILE_BYTES_MAX ? size : FILE_BYTES_MAX);
    if (file_fd < 0) {
        begin();
    }
    uint8_t what = tg_fuzz_u8(&input);
    switch (what % 4) {
    case 0:
        as_file(input);
        break;
    case 1:
        as_pieces(input);
        break;
    case 2:
        as_contents(input, what / 4);
        break;
    default:
        as_words(input, what / 4);
    }
    return 0;
}
