/*
 * sealed.c - see sealed.h.
 */
#include "cli/sealed.h"

#include "base/endian.h"
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t magic[16] = "TOLLGATE-SEALED\1";
#define WORK_AT 16
#define SALT_AT 17
#define AAD_BYTES (TG_SEALED_HEAD_BYTES + 9)

static enum tg_err prepare(struct tg_sealed *sealed, int fd)
{
    memset(sealed, 0, sizeof(*sealed));
    sealed->fd = fd;
    sealed->plain = malloc(TG_SEALED_PIECE_BYTES);
    sealed->cipher = malloc(TG_SEALED_PIECE_BYTES + TG_SEALED_OVERHEAD_BYTES);
    return sealed->plain == NULL || sealed->cipher == NULL ? TG_ERR_ROOM : TG_OK;
}

void tg_sealed_close(struct tg_sealed *sealed)
{
    if (sealed->plain != NULL) {
        tg_wipe(sealed->plain, TG_SEALED_PIECE_BYTES);
    }
    free(sealed->plain);
    free(sealed->cipher);
    if (sealed->fd >= 0) {
        (void)close(sealed->fd);
    }
    tg_wipe(sealed, sizeof(*sealed));
    sealed->fd = -1;
}

static enum tg_err put(int fd, struct tg_span bytes)
{
    while (bytes.len > 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            tg_complain("the backup cannot be written: %s", strerror(errno));
            return TG_ERR_DOWN;
        }
        bytes = tg_span_sub(bytes, (size_t)done, bytes.len);
    }
    return TG_OK;
}

/* TG_ERR_ABSENT: the end stood before the first byte. */
static enum tg_err get(int fd, uint8_t *ret, size_t len)
{
    size_t have = 0;

    while (have < len) {
        ssize_t got = read(fd, ret + have, len - have);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            tg_complain("the backup cannot be read: %s", strerror(errno));
            return TG_ERR_DOWN;
        }
        if (got == 0) {
            return have == 0 ? TG_ERR_ABSENT : TG_ERR_CORRUPT;
        }
        have += (size_t)got;
    }
    return TG_OK;
}

static void aad_fill(const struct tg_sealed *sealed, bool last, uint8_t aad[AAD_BYTES])
{
    size_t i;

    memcpy(aad, sealed->head, TG_SEALED_HEAD_BYTES);
    for (i = 0; i < 8; i++) {
        aad[TG_SEALED_HEAD_BYTES + i] = (uint8_t)(sealed->number >> (56 - 8 * i));
    }
    aad[AAD_BYTES - 1] = last ? 1 : 0;
}

enum tg_err tg_sealed_create(struct tg_sealed *sealed, const char *path, struct tg_span passphrase, unsigned work)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum tg_err err;

    if (fd < 0) {
        *sealed = (struct tg_sealed){.fd = -1};
        tg_complain("cannot make %s: %s%s", path, strerror(errno),
                    errno == EEXIST ? ". It is never overwritten: move it away first" : "");
        return TG_ERR_DENIED;
    }
    err = prepare(sealed, fd);
    memcpy(sealed->head, magic, sizeof(magic));
    sealed->head[WORK_AT] = (uint8_t)work;
    if (err == TG_OK) {
        err = tg_random(sealed->head + SALT_AT, TG_SCRYPT_SALT_BYTES);
    }
    if (err == TG_OK) {
        err = tg_scrypt(passphrase, sealed->head + SALT_AT, work, sealed->key);
    }
    return err == TG_OK ? put(fd, tg_span(sealed->head, TG_SEALED_HEAD_BYTES)) : err;
}

static enum tg_err piece_write(struct tg_sealed *sealed, bool last)
{
    uint8_t aad[AAD_BYTES];
    uint8_t length[4];
    size_t len = 0;
    enum tg_err err;

    aad_fill(sealed, last, aad);
    err = tg_aead_seal(sealed->key, tg_span(aad, sizeof(aad)), tg_span(sealed->plain, sealed->len), sealed->cipher,
                       TG_SEALED_PIECE_BYTES + TG_SEALED_OVERHEAD_BYTES, &len);
    tg_be32_write(length, (uint32_t)len);
    if (err == TG_OK) {
        err = put(sealed->fd, tg_span(length, sizeof(length)));
    }
    if (err == TG_OK) {
        err = put(sealed->fd, tg_span(sealed->cipher, len));
    }
    sealed->number++;
    sealed->len = 0;
    return err;
}

enum tg_err tg_sealed_write(struct tg_sealed *sealed, struct tg_span bytes)
{
    while (bytes.len > 0) {
        size_t room = TG_SEALED_PIECE_BYTES - sealed->len;
        size_t len = bytes.len < room ? bytes.len : room;

        if (room == 0) {
            enum tg_err err = piece_write(sealed, false);

            if (err != TG_OK) {
                return err;
            }
            continue;
        }
        memcpy(sealed->plain + sealed->len, bytes.ptr, len);
        sealed->len += len;
        bytes = tg_span_sub(bytes, len, bytes.len);
    }
    return TG_OK;
}

enum tg_err tg_sealed_finish(struct tg_sealed *sealed)
{
    enum tg_err err = piece_write(sealed, true);

    if (err == TG_OK && fsync(sealed->fd) != 0) {
        tg_complain("the backup cannot be synced: %s", strerror(errno));
        err = TG_ERR_DOWN;
    }
    return err;
}

enum tg_err tg_sealed_open(struct tg_sealed *sealed, const char *path, struct tg_span passphrase)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum tg_err err;

    if (fd < 0) {
        *sealed = (struct tg_sealed){.fd = -1};
        tg_complain("cannot read %s: %s", path, strerror(errno));
        return TG_ERR_DENIED;
    }
    err = prepare(sealed, fd);
    if (err == TG_OK) {
        err = get(fd, sealed->head, TG_SEALED_HEAD_BYTES);
    }
    if (err != TG_OK || memcmp(sealed->head, magic, sizeof(magic)) != 0 ||
        sealed->head[WORK_AT] > TG_SCRYPT_WORK_MAX) {
        tg_complain("%s is no sealed backup", path);
        return TG_ERR_CORRUPT;
    }
    return tg_scrypt(passphrase, sealed->head + SALT_AT, sealed->head[WORK_AT], sealed->key);
}

static enum tg_err piece_read(struct tg_sealed *sealed)
{
    uint8_t aad[AAD_BYTES];
    uint8_t length[4];
    uint32_t len;
    enum tg_err err = get(sealed->fd, length, sizeof(length));

    sealed->len = 0;
    sealed->have = 0;
    len = tg_be32_read(length);
    if (err == TG_OK && (len < TG_SEALED_OVERHEAD_BYTES || len > TG_SEALED_PIECE_BYTES + TG_SEALED_OVERHEAD_BYTES)) {
        return TG_ERR_CORRUPT;
    }
    if (err == TG_OK) {
        err = get(sealed->fd, sealed->cipher, len);
    }
    if (err != TG_OK) {
        return err == TG_ERR_DOWN ? err : TG_ERR_CORRUPT; /* the last piece has not been met */
    }
    aad_fill(sealed, false, aad);
    err = tg_aead_open(sealed->key, tg_span(aad, sizeof(aad)), tg_span(sealed->cipher, len), sealed->plain,
                       TG_SEALED_PIECE_BYTES, &sealed->have);
    if (err == TG_ERR_INPUT) {
        aad_fill(sealed, true, aad);
        err = tg_aead_open(sealed->key, tg_span(aad, sizeof(aad)), tg_span(sealed->cipher, len), sealed->plain,
                           TG_SEALED_PIECE_BYTES, &sealed->have);
        sealed->last = err == TG_OK;
    }
    sealed->number++;
    return err == TG_ERR_INPUT ? TG_ERR_CORRUPT : err;
}

enum tg_err tg_sealed_read(struct tg_sealed *sealed, void *ret, size_t len)
{
    uint8_t *to = ret;

    while (len > 0) {
        size_t part = sealed->have - sealed->len;

        if (part == 0) {
            enum tg_err err = sealed->last ? TG_ERR_CORRUPT : piece_read(sealed);

            if (err != TG_OK) {
                return err;
            }
            continue;
        }
        part = part < len ? part : len;
        memcpy(to, sealed->plain + sealed->len, part);
        sealed->len += part;
        to += part;
        len -= part;
    }
    return TG_OK;
}

enum tg_err tg_sealed_end(struct tg_sealed *sealed)
{
    uint8_t more;

    while (!sealed->last && sealed->len == sealed->have) {
        enum tg_err err = piece_read(sealed);

        if (err != TG_OK) {
            return err;
        }
    }
    return sealed->len == sealed->have && get(sealed->fd, &more, 1) == TG_ERR_ABSENT ? TG_OK : TG_ERR_CORRUPT;
}
