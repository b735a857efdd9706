/*
 * backup.c - `tollgate backup`: an instance at one point in time, sealed under a passphrase, while payments pass.
 *
 * The keeper fixes the point and makes copies (backup.begin); they are sealed here and removed again. What was
 * written is read back and checked before it counts. An instance that is down is copied as it lies there.
 */
#include "cli/admin.h"
#include "cli/archive.h"
#include "cli/command.h"
#include "cli/program.h"
#include "cli/service.h"
#include "daemon/daemon.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BACKUP_VERSION 1
#define BACKUP_WAIT_MS 3600000 /* an hour: a store of 100 GB on a slow disk */
#define BACKUP_TICK_MS 20
#define PASSPHRASE_CHARS_MIN 12
#define PASSPHRASE_BYTES_MAX 1024
#define COPY_SUFFIX ".copy"

const struct tg_option tg_options_backup[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"out", 0, TG_OPTION_TEXT, "FILE", "the new file; it is never overwritten"},
    {"passphrase-file", 0, TG_OPTION_TEXT, "FILE", "one line, 12 characters at least"},
    {"with-keys", 0, TG_OPTION_FLAG, NULL, "include keys/, private keys and API keys: keep that file apart"},
    TG_OPTION_END,
};

struct backup {
    struct tg_instance instance;
    struct tg_archive archive;
    struct tg_admin admin;
    const char *out;
    bool with_keys;
    bool online; /* the keeper is up */
    bool copies; /* ... and made copies: a folder's, not a server's */
    int lock;
    char passphrase[PASSPHRASE_BYTES_MAX];
};

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t suffix_len = strlen(suffix);

    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* Files that open something. */
static bool is_secret(const char *folder, const char *name)
{
    return strcmp(folder, "keys") == 0 || strcmp(folder, "sandbox") == 0 || ends_with(name, ".key");
}

static bool is_store(const char *folder)
{
    return strncmp(folder, "store", 5) == 0;
}

static bool is_wanted(const struct backup *backup, const char *folder, const char *name)
{
    if (is_store(folder) && backup->instance.postgres) {
        return backup->with_keys && strcmp(name, "connection") == 0;
    }
    if (is_store(folder)) {
        return backup->copies ? ends_with(name, COPY_SUFFIX)
                              : ends_with(name, ".sqlite") || ends_with(name, ".sqlite-wal") || ends_with(name, ".keys");
    }
    if (strcmp(folder, "sandbox") == 0 && !ends_with(name, ".credential")) {
        return false; /* the sandbox processor's own book */
    }
    return backup->with_keys || !is_secret(folder, name);
}

static enum tg_err file_add(struct backup *backup, const char *folder, const char *entry)
{
    char name[TG_ARCHIVE_NAME_BYTES_MAX + 16];
    char path[TG_PATH_BYTES_MAX];
    int len = snprintf(name, sizeof(name), "%s%s%s", folder, folder[0] == '\0' ? "" : "/", entry);

    if (len < 0 || (size_t)len >= sizeof(name)) {
        tg_complain("the name %s is too long", entry);
        return TG_ERR_LIMIT;
    }
    (void)tg_instance_path(&backup->instance, name, path);
    if (backup->copies && is_store(folder)) {
        name[(size_t)len - strlen(COPY_SUFFIX)] = '\0';
    }
    return tg_archive_write_file(&backup->archive, name, path);
}

static enum tg_err folder_add(struct backup *backup, const char *folder)
{
    char path[TG_PATH_BYTES_MAX];
    DIR *open = opendir(tg_instance_path(&backup->instance, folder, path));
    const struct dirent *entry;
    enum tg_err err = TG_OK;

    while (err == TG_OK && open != NULL && (entry = readdir(open)) != NULL) {
        if (tg_program_ends_told()) {
            err = TG_ERR_DOWN;
        } else if (entry->d_name[0] != '.' && is_wanted(backup, folder, entry->d_name)) {
            err = file_add(backup, folder, entry->d_name);
        }
    }
    if (open != NULL) {
        (void)closedir(open);
    }
    return err;
}

static json_t *about_make(const struct backup *backup)
{
    uint8_t text[4096];
    struct tg_buf out = tg_buf(text, sizeof(text));

    if (tg_instance_write(&backup->instance, &out) != TG_OK) {
        return NULL;
    }
    return json_pack("{s:i, s:I, s:s, s:s%, s:b, s:b}", "version", BACKUP_VERSION, "made_s", (json_int_t)time(NULL),
                     "dir", backup->instance.dir, "instance", text, out.len, "with_keys", backup->with_keys ? 1 : 0,
                     "online", backup->online ? 1 : 0);
}

static enum tg_err archive_write(struct backup *backup)
{
    static const char *const folders[] = {"tls", "profiles", "client", "keys", "sandbox", "store", "store/segments"};
    json_t *about = about_make(backup);
    enum tg_err err = about == NULL ? TG_ERR_ROOM : tg_archive_write_head(&backup->archive, about);
    size_t i;

    json_decref(about);
    if (err == TG_OK) {
        err = file_add(backup, "", "tollgate.json");
    }
    if (err == TG_OK) {
        err = file_add(backup, "", "nginx.conf");
    }
    for (i = 0; err == TG_OK && i < sizeof(folders) / sizeof(folders[0]); i++) {
        err = folder_add(backup, folders[i]);
    }
    return err == TG_OK ? tg_archive_write_end(&backup->archive) : err;
}

/* Reads it all back. */
static enum tg_err archive_check(struct backup *backup)
{
    struct tg_archive archive = {.sealed = {.fd = -1}};
    struct tg_archive_file file;
    json_t *about = NULL;
    enum tg_err err = tg_sealed_open(&archive.sealed, backup->out, tg_span_string(backup->passphrase));

    if (err == TG_OK) {
        err = tg_archive_read_head(&archive, &about);
    }
    while (err == TG_OK && (err = tg_archive_next(&archive, &file)) == TG_OK) {
        err = tg_program_ends_told() ? TG_ERR_DOWN : tg_archive_read_data(&archive, &file, -1);
    }
    json_decref(about);
    tg_sealed_close(&archive.sealed);
    return err == TG_ERR_ABSENT && archive.count == backup->archive.count ? TG_OK : TG_ERR_CORRUPT;
}

static enum tg_err copies_wait(struct backup *backup)
{
    int64_t end_ms = tg_monotonic_ms() + BACKUP_WAIT_MS;
    json_t *result = NULL;
    enum tg_err err = tg_admin_ask(&backup->admin, "backup.begin", NULL, &result);

    while (err == TG_OK) {
        const char *state = json_string_value(json_object_get(result, "state"));

        if (state == NULL || strcmp(state, "copying") != 0) {
            err = state != NULL && strcmp(state, "done") == 0 ? TG_OK : TG_ERR_DOWN;
            break;
        }
        if (tg_monotonic_ms() > end_ms || tg_program_ends_told()) {
            err = TG_ERR_DOWN;
            break;
        }
        tg_sleep_ms(BACKUP_TICK_MS);
        json_decref(result);
        result = NULL;
        err = tg_admin_ask(&backup->admin, "backup.state", NULL, &result);
    }
    json_decref(result);
    if (err != TG_OK && !tg_program_ends_told()) {
        tg_complain("the keeper could not copy its store: see its log");
    }
    return err;
}

/* Fixes the point in time: the keeper's copies, or a lock that keeps it from starting. */
static enum tg_err point_fix(struct backup *backup)
{
    char path[TG_PATH_BYTES_MAX];

    if (backup->instance.postgres) { /* what changes is the server's */
        backup->online = tg_service_pid(&backup->instance, TG_SERVICE_KEEPER) != 0;
        return TG_OK;
    }
    if (tg_service_pid(&backup->instance, TG_SERVICE_KEEPER) == 0) {
        return tg_daemon_pid_lock(tg_instance_path(&backup->instance, "run/keeper.pid", path), &backup->lock);
    }
    if (tg_admin_open(&backup->instance, false, &backup->admin) != TG_OK) {
        return TG_ERR_DOWN;
    }
    backup->online = true;
    backup->copies = true;
    return copies_wait(backup);
}

static void point_leave(struct backup *backup, bool done)
{
    json_t *result = NULL;
    char why[200];

    tg_daemon_pid_unlock(backup->lock);
    if (!backup->copies) {
        return;
    }
    (void)!tg_admin_try(&backup->admin, "backup.end", NULL, &result, why, sizeof(why));
    json_decref(result);
    if (done) {
        (void)!tg_admin_try(&backup->admin, "act",
                            json_pack("{s:s, s:{s:b, s:i}}", "what", "backup", "after", "with_keys",
                                      backup->with_keys ? 1 : 0, "files", (int)backup->archive.count),
                            &result, why, sizeof(why));
        json_decref(result);
    }
    tg_admin_close(&backup->admin);
}

static enum tg_err backup_make(struct backup *backup)
{
    enum tg_err err = tg_sealed_create(&backup->archive.sealed, backup->out, tg_span_string(backup->passphrase),
                                       TG_SCRYPT_WORK_DEFAULT);
    bool made = backup->archive.sealed.fd >= 0;
    bool fixed = false;

    if (err == TG_OK) {
        err = point_fix(backup);
        fixed = err == TG_OK || backup->copies;
    }
    if (err == TG_OK) {
        err = archive_write(backup);
    }
    if (fixed) {
        point_leave(backup, err == TG_OK);
    }
    tg_sealed_close(&backup->archive.sealed);
    if (err == TG_OK) {
        err = archive_check(backup);
        if (err != TG_OK && !tg_program_ends_told()) {
            tg_complain("what was written does not read back: is the disk sound?");
        }
    }
    if (err != TG_OK && made) {
        (void)unlink(backup->out);
    }
    if (err != TG_OK && tg_program_ends_told()) {
        tg_complain("told to stop: there is no %s", backup->out);
    }
    return err;
}

enum tg_err tg_passphrase_read(const struct tg_arguments *arguments, char *ret, size_t ret_size)
{
    const char *path = tg_arguments_text(arguments, "passphrase-file");

    if (path == NULL) {
        tg_complain("--passphrase-file is needed");
        return TG_ERR_INPUT;
    }
    if (tg_file_read_line(path, ret, ret_size) != TG_OK) {
        return TG_ERR_INPUT;
    }
    if (strlen(ret) < PASSPHRASE_CHARS_MIN) {
        tg_complain("a passphrase has %d characters at least", PASSPHRASE_CHARS_MIN);
        tg_wipe(ret, ret_size);
        return TG_ERR_INPUT;
    }
    return TG_OK;
}

int tg_command_backup(struct tg_arguments *arguments)
{
    static struct backup backup;
    sigset_t before;
    enum tg_err err;

    backup.lock = -1;
    backup.archive.sealed.fd = -1;
    backup.out = tg_arguments_text(arguments, "out");
    backup.with_keys = tg_arguments_flag(arguments, "with-keys");
    if (backup.out == NULL) {
        return tg_usage("backup: --out FILE is needed");
    }
    if (tg_passphrase_read(arguments, backup.passphrase, sizeof(backup.passphrase)) != TG_OK) {
        return TG_EXIT_USAGE;
    }
    err = tg_instance_open(arguments, tg_arguments_word(arguments, 0), &backup.instance);
    if (err == TG_OK && backup.instance.separated && geteuid() != 0) {
        tg_complain("store and keys belong to system users: back up as root");
        err = TG_ERR_DENIED;
    }
    /* A part of a backup must not lie there under its name, nor the keeper's copies stay. */
    tg_program_ends_hold(&before);
    if (err == TG_OK) {
        err = backup_make(&backup);
    }
    tg_wipe(backup.passphrase, sizeof(backup.passphrase));
    tg_program_ends_release(&before);
    if (err != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    (void)printf("Sealed and read back: %s\n  %u files, %llu bytes, %s%s\n", backup.out, backup.archive.count,
                 (unsigned long long)backup.archive.bytes, backup.online ? "while serving" : "of an instance that is down",
                 backup.with_keys ? ", WITH KEYS: keep it apart from others"
                                  : ", without keys: they need a backup of their own (--with-keys)");
    if (backup.instance.joins[0] != '\0') {
        (void)printf("  NOT in it: the sealer's keys. They are with the instance that it joins: %s\n",
                     backup.instance.joins);
    }
    if (backup.instance.postgres) {
        (void)printf("  NOT in it: the record. It stands on the PostgreSQL server: back it up by pg_dump or the like\n");
    }
    return TG_EXIT_OK;
}
