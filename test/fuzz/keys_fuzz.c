/*
 * keys_fuzz.c - any bytes as the side file of a sealed segment; the first byte says whether its digest is put right.
 *
 * Promises to find: reads outside the file, counts that do not fit it, entries that are not those written.
 * Does not: test the disk; the file is in memory.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "store/keys.h"

#include "fuzz.h"

#define FILE_BYTES_MAX 4096
#define HEADER_BYTES 32 /* mark, segment and two counts */
#define SEGMENT 5u

static uint8_t bytes[FILE_BYTES_MAX + 2 * TG_DIGEST_BYTES];

/* The mark and the segment's number as the writer puts them, the counts as far as one byte each goes, the digest. */
static size_t put_right(uint8_t what, size_t len)
{
    if (len < HEADER_BYTES) {
        return len;
    }
    uint64_t head[4] = {UINT64_C(0x31305359454b4754), SEGMENT, bytes[0] % 8, 0};
    size_t open_bytes = (size_t)head[2] * sizeof(struct tg_key_open);
    if (what % 4 != 3 && len >= HEADER_BYTES + open_bytes) {
        head[3] = (len - HEADER_BYTES - open_bytes) / sizeof(struct tg_key_entry);
        len = HEADER_BYTES + open_bytes + (size_t)head[3] * sizeof(struct tg_key_entry);
        memcpy(bytes, head, sizeof(head));
    }
    tg_fuzz_expect(tg_sha256(tg_span(bytes, len), bytes + len) == TG_OK);
    return len + TG_DIGEST_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    struct tg_span input = tg_span(data, size < FILE_BYTES_MAX ? size : FILE_BYTES_MAX);
    struct tg_keys keys;
    if (fd < 0) {
        fd = memfd_create("keys", MFD_CLOEXEC);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    uint8_t what = tg_fuzz_u8(&input);
    size_t len = input.len;
    if (len > 0) {
        memcpy(bytes, input.ptr, len);
    }
    if (what % 4 != 0) {
        len = put_right(what, len);
    }
    tg_fuzz_expect(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
    if (tg_keys_read(path, SEGMENT, &keys) == TG_OK) {
        size_t open_bytes = keys.open_count * sizeof(*keys.open);
        size_t entry_bytes = keys.count * sizeof(*keys.entries);
        tg_fuzz_expect(HEADER_BYTES + open_bytes + entry_bytes + TG_DIGEST_BYTES == len &&
                       memcmp(keys.open, bytes + HEADER_BYTES, open_bytes) == 0 &&
                       memcmp(keys.entries, bytes + HEADER_BYTES + open_bytes, entry_bytes) == 0);
        tg_keys_free(&keys);
    }
    return 0;
}
