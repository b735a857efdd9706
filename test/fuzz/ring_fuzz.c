/*
 * ring_fuzz.c - any bytes as slots of the sealer's ring file: u8 what, u16 slot, then the slot's bytes.
 *
 * Promises to find: reads outside a slot, a torn slot that is used, a foreign one that is served, a key that is not
 * found again, a ring that counts wrongly. The second way of a slot has its checksum put right, the third is a slot
 * that this ring wrote, perhaps under another number: two of one segment must be refused.
 * Does not: test the disk; the file is in memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32.h"
#include "base/endian.h"
#include "daemon/log.h"
#include "sealer/ring.h"

#include "fuzz.h"

#define PATCHES_MAX 16
#define CHECKED_BYTES 68u /* mark, segment and wrapped key: what the slot's checksum covers */

static const uint8_t wrap_key[TG_KEY_BYTES] = "a key that wraps only in fuzzing";
static uint8_t written[4][TG_RING_SLOT_BYTES]; /* slots of the segments 0..3 as the ring itself writes them */
static uint8_t *file;
static int folder = -1;

static void forget_folder(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/dev/shm/tollgate-ring-fuzz.%d", (int)getpid());
    (void)unlinkat(folder, TG_RING_NAME, 0);
    (void)rmdir(path);
}

static void begin(void)
{
    char path[64];
    static struct tg_ring ring;
    (void)snprintf(path, sizeof(path), "/dev/shm/tollgate-ring-fuzz.%d", (int)getpid());
    tg_fuzz_expect(tg_log_open("fuzz", "/dev/null") == TG_OK && mkdir(path, 0700) == 0);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)atexit(forget_folder);
    tg_fuzz_expect(tg_ring_create(folder) == TG_OK && tg_ring_open(&ring, folder, wrap_key) == TG_OK);
    for (uint32_t i = 0; i < 4; i++) {
        tg_fuzz_expect(tg_ring_make(&ring, i) == TG_OK);
    }
    int fd = openat(folder, TG_RING_NAME, O_RDWR | O_CLOEXEC);
    file = mmap(NULL, (size_t)TG_RING_SLOTS * TG_RING_SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    tg_fuzz_expect(file != MAP_FAILED);
    memcpy(written, file, sizeof(written));
    memset(file, 0, sizeof(written));
    tg_ring_close(&ring);
    close(fd);
}

static uint32_t patch(struct tg_span *input)
{
    uint8_t what = tg_fuzz_u8(input);
    uint32_t slot = (uint32_t)(tg_fuzz_u8(input) << 8 | tg_fuzz_u8(input)) % TG_RING_SLOTS;
    uint8_t *bytes = file + (size_t)slot * TG_RING_SLOT_BYTES;
    if (what % 4 == 2) {
        memcpy(bytes, written[what / 4 % 4], TG_RING_SLOT_BYTES);
        return slot;
    }
    struct tg_span given = tg_fuzz_span(input, what % 4 == 3 ? CHECKED_BYTES : TG_RING_SLOT_BYTES);
    if (given.len > 0) {
        memcpy(bytes, given.ptr, given.len);
    }
    if (what % 4 == 1) {
        tg_be32_write(bytes, 0x54475231u);
        tg_be32_write(bytes + CHECKED_BYTES, tg_crc32(tg_span(bytes, CHECKED_BYTES)));
    }
    return slot;
}

static void check(struct tg_ring *ring)
{
    uint32_t used = 0;
    for (uint32_t slot = 0; slot < TG_RING_SLOTS; slot++) {
        used += ring->used[slot] ? 1 : 0;
        tg_fuzz_expect(!ring->used[slot] || tg_ring_find(ring, ring->segment[slot]) != NULL);
        tg_fuzz_expect(!ring->used[slot] || ring->segment[slot] < 4); /* nothing else can have been wrapped */
    }
    tg_fuzz_expect(used == ring->count && ring->count <= 4 && !ring->broken);
    const uint8_t *key = tg_ring_find(ring, 1);
    uint32_t count = ring->count;
    tg_fuzz_expect(tg_ring_make(ring, 1) == TG_OK && ring->count == count + (key == NULL ? 1 : 0));
    tg_fuzz_expect(tg_ring_destroy(ring, 1) == TG_OK && tg_ring_find(ring, 1) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tg_ring ring;
    struct tg_span input = tg_span(data, size);
    uint32_t slots[PATCHES_MAX];
    size_t count = 0;
    if (folder < 0) {
        begin();
    }
    while (count < PATCHES_MAX && input.len > 0) {
        slots[count++] = patch(&input);
    }
    if (tg_ring_open(&ring, folder, wrap_key) == TG_OK) {
        check(&ring);
        tg_ring_close(&ring);
    }
    for (size_t i = 0; i < count; i++) {
        memset(file + (size_t)slots[i] * TG_RING_SLOT_BYTES, 0, TG_RING_SLOT_BYTES);
    }
    memset(file + TG_RING_SLOT_BYTES, 0, TG_RING_SLOT_BYTES);
    return 0;
}
