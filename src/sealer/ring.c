/*
 * ring.c - the file of segment keys.
 *
 * Promises: as ring.h. The ring in the file is its own hash table: a key stands at segment % slots or
 * in the next free slot behind, so that segments numbered in order are found at once.
 * Does not: retry after a failed sync: the kernel may have dropped the page (ring.broken).
 */
#include "sealer/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32.h"
#include "daemon/log.h"

#include "base/banned.h"

#define RING_NEW_NAME "answers.ring.new"
#define RING_BYTES ((off_t)TG_RING_SLOTS * (off_t)TG_RING_SLOT_BYTES)
#define SETTLE_BYTES (256u * 1024u)
_Static_assert((TG_RING_SLOTS * TG_RING_SLOT_BYTES) % SETTLE_BYTES == 0, "whole blocks");
#define MARK 0x54475231u /* "TGR1" */
#define HEAD_BYTES 8u
#define WRAPPED_BYTES (TG_NONCE_BYTES + TG_KEY_BYTES + TG_TAG_BYTES)
#define CHECKED_BYTES (HEAD_BYTES + WRAPPED_BYTES)

enum slot_state { SLOT_FREE, SLOT_TORN, SLOT_USED, SLOT_FOREIGN };

static uint8_t *key_at(const struct tg_ring *ring, uint32_t slot)
{
    return ring->keys.ptr + (size_t)slot * TG_KEY_BYTES;
}

static off_t offset_of(uint32_t slot)
{
    return (off_t)slot * (off_t)TG_RING_SLOT_BYTES;
}

/* The file under another name, whole and durable. */
static enum tg_err write_new(int folder)
{
    unlinkat(folder, RING_NEW_NAME, 0); /* left by a crash; never in use */
    int fd = openat(folder, RING_NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        tg_log_errno("ring_not_made", TG_RING_NAME, errno);
        return TG_ERR_DENIED;
    }
    /* Blocks are reserved now: making a key must not fail for want of space. */
    int error = posix_fallocate(fd, 0, RING_BYTES);
    if (error == 0 && fsync(fd) != 0) {
        error = errno;
    }
    close(fd);
    if (error != 0) {
        tg_log_errno("ring_not_made", TG_RING_NAME, error);
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

enum tg_err tg_ring_create(int folder)
{
    struct stat status;
    bool there = fstatat(folder, TG_RING_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0;
    enum tg_err err = there ? TG_OK : write_new(folder);
    if (err != TG_OK) {
        return err;
    }
    /* One that is there may have been made a moment before a crash: its name is made durable too. */
    if ((!there && linkat(folder, RING_NEW_NAME, folder, TG_RING_NAME, 0) != 0) ||
        (unlinkat(folder, RING_NEW_NAME, 0) != 0 && errno != ENOENT) || fsync(folder) != 0) {
        tg_log_errno("ring_not_made", TG_RING_NAME, errno);
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* Reads one slot's bytes; the key goes to `key` when the slot is used. */
static enum slot_state slot_parse(const uint8_t *wrap_key, const uint8_t *bytes, uint32_t *segment, uint8_t *key)
{
    size_t len = 0;
    struct tg_cursor cursor = tg_cursor(tg_span(bytes, TG_RING_SLOT_BYTES));
    if (is_zero(bytes, TG_RING_SLOT_BYTES)) {
        return SLOT_FREE;
    }
    uint32_t mark = tg_cursor_u32(&cursor);
    *segment = tg_cursor_u32(&cursor);
    struct tg_span wrapped = tg_cursor_span(&cursor, WRAPPED_BYTES);
    uint32_t sum = tg_cursor_u32(&cursor);
    if (mark != MARK || sum != tg_crc32(tg_span(bytes, CHECKED_BYTES))) {
        return SLOT_TORN;
    }
    enum tg_err err = tg_aead_open(wrap_key, tg_span(bytes, HEAD_BYTES), wrapped, key, TG_KEY_BYTES, &len);
    return err == TG_OK && len == TG_KEY_BYTES ? SLOT_USED : SLOT_FOREIGN;
}

/* The bytes of a slot that holds this key. */
static enum tg_err slot_compose(const uint8_t *wrap_key, uint32_t segment, const uint8_t *key,
                                uint8_t bytes[TG_RING_SLOT_BYTES])
{
    size_t len = 0;
    memset(bytes, 0, TG_RING_SLOT_BYTES);
    struct tg_buf buf = tg_buf(bytes, TG_RING_SLOT_BYTES);
    tg_buf_put_u32(&buf, MARK);
    tg_buf_put_u32(&buf, segment);
    enum tg_err err = tg_aead_seal(wrap_key, tg_span(bytes, HEAD_BYTES), tg_span(key, TG_KEY_BYTES), bytes + HEAD_BYTES,
                                   WRAPPED_BYTES, &len);
    if (err != TG_OK || len != WRAPPED_BYTES) {
        return TG_ERR_BUG;
    }
    buf.len = CHECKED_BYTES;
    tg_buf_put_u32(&buf, tg_crc32(tg_span(bytes, CHECKED_BYTES)));
    return tg_buf_done(&buf);
}

/* Takes a key into the tables. */
static void note_used(struct tg_ring *ring, uint32_t slot, uint32_t segment)
{
    uint32_t distance = (slot + TG_RING_SLOTS - segment % TG_RING_SLOTS) % TG_RING_SLOTS;
    ring->segment[slot] = segment;
    ring->used[slot] = true;
    ring->count++;
    if (distance > ring->reach) {
        ring->reach = distance;
    }
}

/* The slot of a segment, or TG_RING_SLOTS. */
static uint32_t slot_find(const struct tg_ring *ring, uint32_t segment)
{
    for (uint32_t i = 0; i <= ring->reach; i++) {
        uint32_t slot = (segment % TG_RING_SLOTS + i) % TG_RING_SLOTS;
        if (ring->used[slot] && ring->segment[slot] == segment) {
            return slot;
        }
    }
    return TG_RING_SLOTS;
}

static enum tg_err read_slots(struct tg_ring *ring)
{
    uint8_t bytes[TG_RING_SLOT_BYTES];
    for (uint32_t slot = 0; slot < TG_RING_SLOTS; slot++) {
        uint32_t segment = 0;
        if (pread(ring->fd, bytes, sizeof(bytes), offset_of(slot)) != (ssize_t)sizeof(bytes)) {
            return TG_ERR_DOWN;
        }
        enum slot_state state = slot_parse(ring->wrap_key, bytes, &segment, key_at(ring, slot));
        if (state == SLOT_FOREIGN) {
            tg_log_say(TG_LOG_ERROR, "ring_foreign", "a slot of answers.ring does not open under this master key");
            return TG_ERR_CORRUPT;
        }
        if (state == SLOT_TORN) {
            ring->torn++;
        }
        if (state != SLOT_USED) {
            continue;
        }
        if (slot_find(ring, segment) != TG_RING_SLOTS) {
            tg_log_say(TG_LOG_ERROR, "ring_twice", "two slots of answers.ring name one segment");
            return TG_ERR_CORRUPT;
        }
        note_used(ring, slot, segment);
    }
    return TG_OK;
}

/* A regular file of the right size that only its owner reads, and that no other sealer holds. */
static enum tg_err check_file(int fd)
{
    struct stat status;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != RING_BYTES) {
        tg_log_say(TG_LOG_ERROR, "ring_refused", "answers.ring is not a file of the right size");
        return TG_ERR_CORRUPT;
    }
    if ((status.st_mode & 077) != 0) {
        tg_log_say(TG_LOG_ERROR, "ring_refused", "answers.ring may be read by others: chmod 600");
        return TG_ERR_DENIED;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        tg_log_errno("ring_in_use", TG_RING_NAME, errno);
        return TG_ERR_DENIED;
    }
    return TG_OK;
}

/*
 * What a start reads it seals under, and says of it that it is durable; its last writer may have ended between write
 * and sync, or after a sync that failed, when the kernel shows what the disk does not hold and calls it clean. So all
 * of it is written again, byte by byte the same, and synced.
 */
static enum tg_err settle(int fd, int folder)
{
    static uint8_t block[SETTLE_BYTES];
    for (off_t at = 0; at < RING_BYTES; at += (off_t)sizeof(block)) {
        if (pread(fd, block, sizeof(block), at) != (ssize_t)sizeof(block) ||
            pwrite(fd, block, sizeof(block), at) != (ssize_t)sizeof(block)) {
            tg_log_errno("ring_not_opened", TG_RING_NAME, errno);
            return TG_ERR_DOWN;
        }
    }
    if (fdatasync(fd) != 0 || fsync(folder) != 0) {
        tg_log_errno("ring_not_opened", TG_RING_NAME, errno);
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

enum tg_err tg_ring_open(struct tg_ring *ring, int folder, const uint8_t *wrap_key)
{
    memset(ring, 0, sizeof(*ring));
    ring->wrap_key = wrap_key;
    ring->fd = openat(folder, TG_RING_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (ring->fd < 0) {
        tg_log_errno("ring_not_opened", TG_RING_NAME, errno);
        return TG_ERR_ABSENT;
    }
    enum tg_err err = check_file(ring->fd);
    if (err == TG_OK) {
        err = settle(ring->fd, folder);
    }
    if (err == TG_OK) {
        err = tg_secret_make(&ring->keys, (size_t)TG_RING_SLOTS * TG_KEY_BYTES, &ring->kind);
    }
    if (err == TG_OK) {
        err = read_slots(ring);
    }
    if (err != TG_OK) {
        tg_ring_close(ring);
    }
    return err;
}

void tg_ring_close(struct tg_ring *ring)
{
    tg_secret_free(&ring->keys);
    if (ring->fd >= 0) {
        close(ring->fd);
    }
    memset(ring, 0, sizeof(*ring));
    ring->fd = -1;
    ring->broken = true;
}

const uint8_t *tg_ring_find(const struct tg_ring *ring, uint32_t segment)
{
    uint32_t slot = slot_find(ring, segment);
    return slot == TG_RING_SLOTS ? NULL : key_at(ring, slot);
}

/* One slot to the disk, whole and synced. */
static enum tg_err write_slot(struct tg_ring *ring, uint32_t slot, const uint8_t bytes[TG_RING_SLOT_BYTES])
{
    if (pwrite(ring->fd, bytes, TG_RING_SLOT_BYTES, offset_of(slot)) != (ssize_t)TG_RING_SLOT_BYTES ||
        fdatasync(ring->fd) != 0) {
        ring->broken = true;
        tg_log_errno("ring_broken", TG_RING_NAME, errno);
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

static uint32_t slot_free(const struct tg_ring *ring, uint32_t segment)
{
    for (uint32_t i = 0; i < TG_RING_SLOTS; i++) {
        uint32_t slot = (segment % TG_RING_SLOTS + i) % TG_RING_SLOTS;
        if (!ring->used[slot]) {
            return slot;
        }
    }
    return TG_RING_SLOTS;
}

enum tg_err tg_ring_make(struct tg_ring *ring, uint32_t segment)
{
    uint8_t bytes[TG_RING_SLOT_BYTES];
    if (slot_find(ring, segment) != TG_RING_SLOTS) {
        return TG_OK;
    }
    uint32_t slot = slot_free(ring, segment);
    if (ring->broken || slot == TG_RING_SLOTS) {
        return ring->broken ? TG_ERR_DOWN : TG_ERR_ROOM;
    }
    uint8_t *key = key_at(ring, slot);
    enum tg_err err = tg_random(key, TG_KEY_BYTES);
    if (err == TG_OK) {
        err = slot_compose(ring->wrap_key, segment, key, bytes);
    }
    if (err == TG_OK) {
        err = write_slot(ring, slot, bytes);
    }
    if (err != TG_OK) {
        tg_wipe(key, TG_KEY_BYTES);
        return err;
    }
    note_used(ring, slot, segment);
    return TG_OK;
}

enum tg_err tg_ring_destroy(struct tg_ring *ring, uint32_t segment)
{
    static const uint8_t zeroes[TG_RING_SLOT_BYTES];
    if (ring->broken) {
        return TG_ERR_DOWN;
    }
    uint32_t slot = slot_find(ring, segment);
    if (slot == TG_RING_SLOTS) {
        return TG_OK;
    }
    enum tg_err err = write_slot(ring, slot, zeroes);
    if (err != TG_OK) {
        return err;
    }
    tg_wipe(key_at(ring, slot), TG_KEY_BYTES);
    ring->used[slot] = false;
    ring->segment[slot] = 0;
    ring->count--;
    return TG_OK;
}
