/*
 * keys.c - master.key and what is derived from it.
 *
 * Promises: as keys.h. The file appears whole or not at all: it is written beside, synced, and linked.
 * Does not: log any byte of a key.
 */
#include "sealer/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "sealer/ring.h"

#include "base/banned.h"

#define MASTER_NEW_NAME "master.key.new"

struct fixed_key {
    uint32_t id;
    enum tg_key_use use;
    const char *info; /* HKDF info: never to be changed, or every instance loses its keys */
};

static const struct fixed_key fixed_keys[] = {
    {TG_KEYS_RING, TG_KEY_USE_WRAP, "tollgate 1 wrap answers.ring"},
    {TG_SEAL_KEY_CLAIM, TG_KEY_USE_MAC, "tollgate 1 mac claim"},
    {TG_SEAL_KEY_FINGERPRINT, TG_KEY_USE_MAC, "tollgate 1 mac fingerprint"},
    {TG_SEAL_KEY_PSEUDONYM, TG_KEY_USE_MAC, "tollgate 1 mac pseudonym"},
    {TG_SEAL_KEY_CREDENTIAL, TG_KEY_USE_SEAL, "tollgate 1 seal credential"},
    {TG_SEAL_KEY_RECORD, TG_KEY_USE_SIGN, "tollgate 1 sign record"},
};

#define FIXED_KEYS (sizeof(fixed_keys) / sizeof(fixed_keys[0]))

/* What one takes in memory. */
union place {
    uint8_t key[TG_KEY_BYTES];
    struct tg_mac_key mac; /* TG_KEY_USE_MAC */
};

/* True when the ring is absent or has no key yet: then a new master key orphans nothing. */
static bool is_ring_blank(int folder)
{
    uint8_t block[4096];
    ssize_t got = 0;
    bool blank = true;
    int fd = openat(folder, TG_RING_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT;
    }
    while (blank && (got = read(fd, block, sizeof(block))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            blank = blank && block[i] == 0;
        }
    }
    close(fd);
    return blank && got >= 0;
}

/* Writes 32 random bytes to the new name, synced. */
static enum tg_err write_new(int folder)
{
    uint8_t master[TG_KEY_BYTES];
    unlinkat(folder, MASTER_NEW_NAME, 0); /* left by a crash; never in use */
    int fd = openat(folder, MASTER_NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return TG_ERR_DENIED;
    }
    enum tg_err err = tg_random(master, sizeof(master));
    if (err == TG_OK && (write(fd, master, sizeof(master)) != (ssize_t)sizeof(master) || fsync(fd) != 0)) {
        err = TG_ERR_DOWN;
    }
    tg_wipe(master, sizeof(master));
    close(fd);
    return err;
}

/* A key that is there may have been made a moment before a crash: it keeps one name, and that is made durable. */
static enum tg_err settle_name(int folder)
{
    if ((unlinkat(folder, MASTER_NEW_NAME, 0) != 0 && errno != ENOENT) || fsync(folder) != 0) {
        tg_log_errno("master_key_not_made", TG_KEYS_MASTER_NAME, errno);
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

enum tg_err tg_keys_create(int folder)
{
    struct stat status;
    if (fstatat(folder, TG_KEYS_MASTER_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return settle_name(folder);
    }
    if (errno != ENOENT) {
        tg_log_errno("master_key_not_made", TG_KEYS_MASTER_NAME, errno);
        return TG_ERR_DENIED;
    }
    if (!is_ring_blank(folder)) {
        tg_log_say(TG_LOG_ERROR, "master_key_lost", "answers.ring holds keys of a master key that is not here");
        return TG_ERR_DENIED;
    }
    enum tg_err err = write_new(folder);
    /* link, not rename: it fails where a master key appeared meanwhile. */
    if (err == TG_OK && (linkat(folder, MASTER_NEW_NAME, folder, TG_KEYS_MASTER_NAME, 0) != 0 ||
                         unlinkat(folder, MASTER_NEW_NAME, 0) != 0 || fsync(folder) != 0)) {
        err = TG_ERR_DOWN;
    }
    if (err != TG_OK) {
        tg_log_errno("master_key_not_made", TG_KEYS_MASTER_NAME, errno);
    }
    return err;
}

static enum tg_err check_file(int fd, uid_t owner)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != TG_KEY_BYTES) {
        tg_log_say(TG_LOG_ERROR, "master_key_refused", "master.key is not a file of 32 bytes");
        return TG_ERR_CORRUPT;
    }
    if ((status.st_mode & 077) != 0 || (status.st_uid != geteuid() && status.st_uid != owner)) {
        tg_log_say(TG_LOG_ERROR, "master_key_refused", "master.key must be its owner's alone: chmod 600, chown");
        return TG_ERR_DENIED;
    }
    return TG_OK;
}

enum tg_err tg_keys_load(struct tg_keys *keys, int folder, uid_t owner)
{
    uint8_t master[TG_KEY_BYTES];
    *keys = (struct tg_keys){0};
    int fd = openat(folder, TG_KEYS_MASTER_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        tg_log_errno("master_key_not_opened", TG_KEYS_MASTER_NAME, errno);
        return TG_ERR_ABSENT;
    }
    enum tg_err err = check_file(fd, owner);
    if (err == TG_OK && read(fd, master, sizeof(master)) != (ssize_t)sizeof(master)) {
        err = TG_ERR_DOWN;
    }
    close(fd);
    if (err == TG_OK) {
        err = tg_keys_derive(keys, master);
    }
    tg_wipe(master, sizeof(master));
    return err;
}

enum tg_err tg_keys_derive(struct tg_keys *keys, const uint8_t master[TG_KEY_BYTES])
{
    uint8_t key[TG_KEY_BYTES];
    enum tg_err err = tg_secret_make(&keys->memory, FIXED_KEYS * sizeof(union place), &keys->kind);
    for (size_t i = 0; i < FIXED_KEYS && err == TG_OK; i++) {
        union place *place = (union place *)keys->memory.ptr + i;
        err = tg_hkdf_sha256(tg_span(master, TG_KEY_BYTES), tg_span_string(fixed_keys[i].info), key, sizeof(key));
        if (err == TG_OK && fixed_keys[i].use == TG_KEY_USE_MAC) {
            err = tg_mac_prepare(&place->mac, tg_span(key, sizeof(key)));
        } else {
            memcpy(place->key, key, sizeof(key));
        }
    }
    tg_wipe(key, sizeof(key));
    if (err != TG_OK) {
        tg_keys_free(keys);
        return err;
    }
    keys->memory.len = FIXED_KEYS * sizeof(union place);
    return TG_OK;
}

static const union place *find(const struct tg_keys *keys, uint32_t id, enum tg_key_use use)
{
    for (size_t i = 0; i < FIXED_KEYS && keys->memory.ptr != NULL; i++) {
        if (fixed_keys[i].id == id && fixed_keys[i].use == use) {
            return (const union place *)keys->memory.ptr + i;
        }
    }
    return NULL;
}

const uint8_t *tg_keys_find(const struct tg_keys *keys, uint32_t id, enum tg_key_use use)
{
    const union place *place = use == TG_KEY_USE_MAC ? NULL : find(keys, id, use);
    return place == NULL ? NULL : place->key;
}

const struct tg_mac_key *tg_keys_find_mac(const struct tg_keys *keys, uint32_t id)
{
    const union place *place = find(keys, id, TG_KEY_USE_MAC);
    return place == NULL ? NULL : &place->mac;
}

void tg_keys_free(struct tg_keys *keys)
{
    tg_secret_free(&keys->memory);
    *keys = (struct tg_keys){0};
}
