/*
 * keys.c - writing and reading key files; see keys.h.
 *
 * Promises: a file that is torn, cut or from elsewhere is told apart by its
 * digest and numbers. Does not: travel between machines of different byte
 * order: the file is a cache of rows and says so by its mark.
 */
#include "store/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/crypto.h"
#include "store/folder.h"

/* In memory order: another byte order or version reads another number, and falls back to the rows. */
#define KEYS_MARK 0x31305359454b4754u

struct header {
    uint64_t mark;
    uint64_t segment;
    uint64_t open_count;
    uint64_t count;
};

static int by_tag(const void *a, const void *b)
{
    const struct tg_key_entry *left = a, *right = b;
    if (left->tag != right->tag)
        return left->tag < right->tag ? -1 : 1;
    return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

static size_t body_bytes(size_t open_count, size_t count)
{
    return sizeof(struct header) + open_count * sizeof(struct tg_key_open) + count * sizeof(struct tg_key_entry);
}

static enum tg_err write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return TG_ERR_DOWN;
        bytes += written;
        len -= (size_t)written;
    }
    return TG_OK;
}

static enum tg_err put_file(const char *path, const uint8_t *block, size_t len)
{
    char beside[PATH_MAX];
    int made = snprintf(beside, sizeof(beside), "%s.new", path);
    if (made <= 0 || (size_t)made >= sizeof(beside))
        return TG_ERR_LIMIT;
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return TG_ERR_DOWN;
    enum tg_err err = write_all(fd, block, len);
    if (err == TG_OK && fsync(fd) != 0)
        err = TG_ERR_DOWN;
    if (close(fd) != 0 && err == TG_OK)
        err = TG_ERR_DOWN;
    if (err == TG_OK && rename(beside, path) != 0)
        err = TG_ERR_DOWN;
    if (err != TG_OK) {
        (void)unlink(beside);
        return err;
    }
    return tg_folder_sync(path); /* the file's name is durable only when its folder is */
}

enum tg_err tg_keys_write(const char *path, uint32_t segment, struct tg_keys *keys)
{
    size_t body = body_bytes(keys->open_count, keys->count);
    uint8_t *block = malloc(body + TG_DIGEST_BYTES);
    if (block == NULL)
        return TG_ERR_DOWN;
    if (keys->count > 1)
        qsort(keys->entries, keys->count, sizeof(*keys->entries), by_tag);
    struct header header = {KEYS_MARK, segment, keys->open_count, keys->count};
    memcpy(block, &header, sizeof(header));
    uint8_t *at = block + sizeof(header);
    if (keys->open_count > 0)
        memcpy(at, keys->open, keys->open_count * sizeof(*keys->open));
    at += keys->open_count * sizeof(*keys->open);
    if (keys->count > 0)
        memcpy(at, keys->entries, keys->count * sizeof(*keys->entries));
    enum tg_err err = tg_sha256(tg_span(block, body), block + body);
    if (err == TG_OK)
        err = put_file(path, block, body + TG_DIGEST_BYTES);
    free(block);
    return err;
}

static enum tg_err read_all(const char *path, uint8_t **ret, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? TG_ERR_ABSENT : TG_ERR_DOWN;
    struct stat stat;
    uint8_t *block = NULL;
    size_t len = 0;
    if (fstat(fd, &stat) == 0 && stat.st_size > 0) {
        len = (size_t)stat.st_size;
        block = malloc(len);
    }
    size_t have = 0;
    while (block != NULL && have < len) {
        ssize_t got = read(fd, block + have, len - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    (void)close(fd);
    if (block == NULL || have < len) {
        free(block);
        return TG_ERR_CORRUPT;
    }
    *ret = block;
    *ret_len = len;
    return TG_OK;
}

static enum tg_err check(uint8_t *block, size_t len, uint32_t segment, struct header *header)
{
    uint8_t digest[TG_DIGEST_BYTES];
    if (len < sizeof(*header) + sizeof(digest))
        return TG_ERR_CORRUPT;
    memcpy(header, block, sizeof(*header));
    size_t body = len - sizeof(digest);
    if (header->mark != KEYS_MARK || header->segment != segment || header->open_count > body ||
        header->count > body || body_bytes(header->open_count, header->count) != body)
        return TG_ERR_CORRUPT;
    enum tg_err err = tg_sha256(tg_span(block, body), digest);
    if (err != TG_OK)
        return err;
    return memcmp(digest, block + body, sizeof(digest)) == 0 ? TG_OK : TG_ERR_CORRUPT;
}

enum tg_err tg_keys_read(const char *path, uint32_t segment, struct tg_keys *ret)
{
    uint8_t *block = NULL;
    size_t len = 0;
    struct header header;
    memset(ret, 0, sizeof(*ret));
    enum tg_err err = read_all(path, &block, &len);
    if (err != TG_OK)
        return err;
    err = check(block, len, segment, &header);
    if (err != TG_OK) {
        free(block);
        return err;
    }
    /* malloc aligns the block; header and both arrays are multiples of 8 bytes. */
    ret->block = block;
    ret->open = (struct tg_key_open *)(void *)(block + sizeof(header));
    ret->open_count = (size_t)header.open_count;
    ret->entries = (struct tg_key_entry *)(void *)(block + sizeof(header) + ret->open_count * sizeof(struct tg_key_open));
    ret->count = (size_t)header.count;
    return TG_OK;
}

void tg_keys_free(struct tg_keys *keys)
{
    free(keys->block);
    memset(keys, 0, sizeof(*keys));
}
