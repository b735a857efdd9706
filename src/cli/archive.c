/*
 * archive.c - see archive.h.
 */
#include "cli/archive.h"

#include "base/endian.h"
#include "cli/command.h"
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_HEAD 'M'
#define MARK_FILE 'F'
#define MARK_END 'E'
#define ABOUT_BYTES_MAX 65536
#define BLOCK_BYTES 65536
#define FOLDERS_DEEP_MAX 2 /* store/segments/1.sqlite */

bool tg_archive_name_fine(const char *name)
{
    size_t slashes = 0;
    size_t i;

    for (i = 0; name[i] != '\0'; i++) {
        bool letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
                      (name[i] >= '0' && name[i] <= '9') || name[i] == '-' || name[i] == '_';
        bool first = i == 0 || name[i - 1] == '/';

        if (!letter && (first || (name[i] != '.' && name[i] != '/'))) {
            return false;
        }
        slashes += name[i] == '/' ? 1 : 0;
    }
    return i > 0 && i <= TG_ARCHIVE_NAME_BYTES_MAX && slashes <= FOLDERS_DEEP_MAX && name[i - 1] != '/';
}

enum tg_err tg_archive_write_head(struct tg_archive *archive, const json_t *about)
{
    char *text = json_dumps(about, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t head[5] = {MARK_HEAD};
    enum tg_err err;

    archive->count = 0;
    archive->bytes = 0;
    if (text == NULL) {
        return TG_ERR_ROOM;
    }
    tg_be32_write(head + 1, (uint32_t)strlen(text));
    err = tg_sealed_write(&archive->sealed, tg_span(head, sizeof(head)));
    if (err == TG_OK) {
        err = tg_sealed_write(&archive->sealed, tg_span_string(text));
    }
    free(text);
    return err;
}

/* Exactly size bytes of fd, and their digest behind them. */
static enum tg_err data_write(struct tg_archive *archive, int fd, uint64_t size)
{
    uint8_t block[BLOCK_BYTES];
    uint8_t digest[TG_DIGEST_BYTES];
    struct tg_sha256_stream stream;
    enum tg_err err = tg_sha256_begin(&stream);
    enum tg_err end;

    while (err == TG_OK && size > 0) {
        ssize_t got = read(fd, block, size < sizeof(block) ? (size_t)size : sizeof(block));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        err = got <= 0 || tg_program_ends_told() ? TG_ERR_DOWN : tg_sha256_add(&stream, tg_span(block, (size_t)got));
        if (err == TG_OK) {
            err = tg_sealed_write(&archive->sealed, tg_span(block, (size_t)got));
            size -= (uint64_t)got;
        }
    }
    end = tg_sha256_end(&stream, digest);
    err = err == TG_OK ? end : err;
    tg_wipe(block, sizeof(block));
    return err == TG_OK ? tg_sealed_write(&archive->sealed, tg_span(digest, sizeof(digest))) : err;
}

enum tg_err tg_archive_write_file(struct tg_archive *archive, const char *name, const char *path)
{
    uint8_t head[15] = {MARK_FILE};
    size_t len = strlen(name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    enum tg_err err;

    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || !tg_archive_name_fine(name)) {
        tg_complain("cannot read %s: %s", path, fd < 0 ? strerror(errno) : "not a plain file with a plain name");
        if (fd >= 0) {
            (void)close(fd);
        }
        return TG_ERR_DENIED;
    }
    tg_be16_write(head + 1, (uint16_t)len);
    tg_be32_write(head + 3, status.st_mode & 0777);
    tg_be64_write(head + 7, (uint64_t)status.st_size);
    err = tg_sealed_write(&archive->sealed, tg_span(head, sizeof(head)));
    if (err == TG_OK) {
        err = tg_sealed_write(&archive->sealed, tg_span(name, len));
    }
    if (err == TG_OK) {
        err = data_write(archive, fd, (uint64_t)status.st_size);
        if (err != TG_OK) {
            tg_complain("%s could not be read to its end: try again", path);
        }
    }
    (void)close(fd);
    archive->count++;
    archive->bytes += (uint64_t)status.st_size;
    return err;
}

enum tg_err tg_archive_write_end(struct tg_archive *archive)
{
    uint8_t end[13] = {MARK_END};
    enum tg_err err;

    tg_be32_write(end + 1, archive->count);
    tg_be64_write(end + 5, archive->bytes);
    err = tg_sealed_write(&archive->sealed, tg_span(end, sizeof(end)));
    return err == TG_OK ? tg_sealed_finish(&archive->sealed) : err;
}

enum tg_err tg_archive_read_head(struct tg_archive *archive, json_t **about)
{
    uint8_t head[5];
    enum tg_err err = tg_sealed_read(&archive->sealed, head, sizeof(head));
    uint32_t len = err == TG_OK ? tg_be32_read(head + 1) : 0;
    char *text;

    *about = NULL;
    archive->count = 0;
    archive->bytes = 0;
    if (err != TG_OK) {
        return err;
    }
    if (head[0] != MARK_HEAD || len > ABOUT_BYTES_MAX) {
        return TG_ERR_CORRUPT;
    }
    text = malloc(len + 1);
    if (text == NULL) {
        return TG_ERR_ROOM;
    }
    err = tg_sealed_read(&archive->sealed, text, len);
    if (err == TG_OK) {
        *about = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        err = *about == NULL ? TG_ERR_CORRUPT : TG_OK;
    }
    free(text);
    return err;
}

static enum tg_err end_read(struct tg_archive *archive)
{
    uint8_t end[12];
    enum tg_err err = tg_sealed_read(&archive->sealed, end, sizeof(end));

    if (err == TG_OK && (tg_be32_read(end) != archive->count || tg_be64_read(end + 4) != archive->bytes)) {
        return TG_ERR_CORRUPT;
    }
    if (err == TG_OK) {
        err = tg_sealed_end(&archive->sealed);
    }
    return err == TG_OK ? TG_ERR_ABSENT : err;
}

enum tg_err tg_archive_next(struct tg_archive *archive, struct tg_archive_file *ret)
{
    uint8_t mark;
    uint8_t head[14];
    uint16_t len;
    enum tg_err err = tg_sealed_read(&archive->sealed, &mark, 1);

    memset(ret, 0, sizeof(*ret));
    if (err == TG_OK && mark == MARK_END) {
        return end_read(archive);
    }
    if (err == TG_OK) {
        err = mark == MARK_FILE ? tg_sealed_read(&archive->sealed, head, sizeof(head)) : TG_ERR_CORRUPT;
    }
    if (err != TG_OK) {
        return err;
    }
    len = tg_be16_read(head);
    ret->mode = tg_be32_read(head + 2) & 0777;
    ret->size = tg_be64_read(head + 6);
    if (len > TG_ARCHIVE_NAME_BYTES_MAX) {
        return TG_ERR_CORRUPT;
    }
    err = tg_sealed_read(&archive->sealed, ret->name, len);
    archive->count++;
    archive->bytes += ret->size;
    if (err == TG_OK && (strlen(ret->name) != len || !tg_archive_name_fine(ret->name))) {
        return TG_ERR_CORRUPT;
    }
    return err;
}

static enum tg_err block_write(int fd, const uint8_t *block, size_t len)
{
    while (fd >= 0 && len > 0) {
        ssize_t done = write(fd, block, len);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            tg_complain("a restored file cannot be written: %s", strerror(errno));
            return TG_ERR_DOWN;
        }
        block += done;
        len -= (size_t)done;
    }
    return TG_OK;
}

enum tg_err tg_archive_read_data(struct tg_archive *archive, const struct tg_archive_file *file, int fd)
{
    uint8_t block[BLOCK_BYTES];
    uint8_t told[TG_DIGEST_BYTES];
    uint8_t digest[TG_DIGEST_BYTES];
    struct tg_sha256_stream stream;
    uint64_t left = file->size;
    enum tg_err err = tg_sha256_begin(&stream);
    enum tg_err end;

    while (err == TG_OK && left > 0) {
        size_t len = left < sizeof(block) ? (size_t)left : sizeof(block);

        err = tg_sealed_read(&archive->sealed, block, len);
        if (err == TG_OK) {
            err = tg_sha256_add(&stream, tg_span(block, len));
        }
        if (err == TG_OK) {
            err = block_write(fd, block, len);
        }
        left -= len;
    }
    end = tg_sha256_end(&stream, digest);
    err = err == TG_OK ? end : err;
    tg_wipe(block, sizeof(block));
    if (err == TG_OK) {
        err = tg_sealed_read(&archive->sealed, told, sizeof(told));
    }
    return err == TG_OK && memcmp(told, digest, sizeof(told)) != 0 ? TG_ERR_CORRUPT : err;
}
