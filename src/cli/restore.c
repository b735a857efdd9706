/*
 * restore.c - `tollgate restore`: a new folder from a sealed backup, or its keys into one that lacks them.
 *
 * Everything is checked before anything counts: files go to DIR.part, which becomes DIR when the end was whole.
 * Nothing that exists is overwritten.
 */
#include "cli/account.h"
#include "cli/archive.h"
#include "cli/command.h"
#include "cli/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE_BYTES_MAX 1024
#define CONF_BYTES_MAX (1024u * 1024u)
#define BACKUP_VERSION 1

const struct tg_option tg_options_restore[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"from", 0, TG_OPTION_TEXT, "FILE", "what `tollgate backup` wrote"},
    {"passphrase-file", 0, TG_OPTION_TEXT, "FILE", "the line that it was sealed under"},
    {"only-keys", 0, TG_OPTION_FLAG, NULL, "put the keys of a backup made --with-keys into a restored instance"},
    {"check", 0, TG_OPTION_FLAG, NULL, "read and check all of it; write nothing"},
    TG_OPTION_END,
};

enum restore_kind { RESTORE_CHECK, RESTORE_ALL, RESTORE_KEYS };

struct restore {
    struct tg_instance instance; /* dir: where files go now */
    struct tg_archive archive;
    const char *from;
    char old_dir[TG_PATH_BYTES_MAX];
    char new_dir[TG_PATH_BYTES_MAX];
    char passphrase[PASSPHRASE_BYTES_MAX];
    int64_t made_s;
    bool with_keys;
};

static bool is_secret(const char *name)
{
    size_t len = strlen(name);

    return strcmp(name, "store/connection") == 0 || strncmp(name, "keys/", 5) == 0 || strncmp(name, "sandbox/", 8) == 0 ||
           (len > 4 && strcmp(name + len - 4, ".key") == 0);
}

static enum tg_err about_take(struct restore *restore, const json_t *about)
{
    const char *text = json_string_value(json_object_get(about, "instance"));
    const char *dir = json_string_value(json_object_get(about, "dir"));
    char why[200] = "it does not say of what";

    if (json_integer_value(json_object_get(about, "version")) != BACKUP_VERSION || text == NULL || dir == NULL ||
        strlen(dir) >= sizeof(restore->old_dir) ||
        tg_instance_read(tg_span_string(text), &restore->instance, why, sizeof(why)) != TG_OK) {
        tg_complain("the backup is of another release: %s", why);
        return TG_ERR_INPUT;
    }
    memcpy(restore->old_dir, dir, strlen(dir) + 1);
    restore->made_s = json_integer_value(json_object_get(about, "made_s"));
    restore->with_keys = json_is_true(json_object_get(about, "with_keys"));
    return TG_OK;
}

static enum tg_err archive_open(struct restore *restore)
{
    json_t *about = NULL;
    enum tg_err err = tg_sealed_open(&restore->archive.sealed, restore->from, tg_span_string(restore->passphrase));

    if (err != TG_OK) {
        return err;
    }
    err = tg_archive_read_head(&restore->archive, &about);
    if (err == TG_ERR_CORRUPT) {
        tg_complain("%s does not open: another passphrase, or the file was changed", restore->from);
    }
    if (err == TG_OK) {
        err = about_take(restore, about);
    }
    json_decref(about);
    return err;
}

/* What the store has made below its folder. */
static enum tg_err folder_make(const struct restore *restore, const char *name, struct tg_owner owner)
{
    char path[TG_PATH_BYTES_MAX];
    char *last;

    if (tg_path_join(path, restore->instance.dir, name) != TG_OK) {
        return TG_ERR_LIMIT;
    }
    last = strrchr(path, '/');
    *last = '\0';
    return strchr(strchr(name, '/') == NULL ? name : strchr(name, '/') + 1, '/') == NULL
               ? TG_OK
               : tg_folder_make(path, 0700, owner);
}

static enum tg_err file_write(struct restore *restore, const struct tg_archive_file *file)
{
    struct tg_owner owner;
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = tg_folders_owner(&restore->instance, file->name, &owner);
    int fd;

    if (err != TG_OK || tg_path_join(path, restore->instance.dir, file->name) != TG_OK) {
        return TG_ERR_ABSENT;
    }
    if (folder_make(restore, file->name, owner) != TG_OK) {
        return TG_ERR_DENIED;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        tg_complain("cannot make %s: %s", path, strerror(errno));
        return TG_ERR_DENIED;
    }
    err = tg_archive_read_data(&restore->archive, file, fd);
    if (err == TG_OK && ((owner.uid != (uid_t)-1 && fchown(fd, owner.uid, owner.gid) != 0) ||
                         fchmod(fd, file->mode) != 0 || fsync(fd) != 0)) {
        tg_complain("cannot set owner and mode of %s: %s", path, strerror(errno));
        err = TG_ERR_DENIED;
    }
    (void)close(fd);
    return err;
}

/* With RESTORE_KEYS and not `write`: looks whether a key stands there already. */
static enum tg_err file_take(struct restore *restore, const struct tg_archive_file *file, enum restore_kind kind,
                             bool write)
{
    char path[TG_PATH_BYTES_MAX];

    if (kind == RESTORE_KEYS && is_secret(file->name) && !write &&
        tg_path_join(path, restore->instance.dir, file->name) == TG_OK && tg_file_exists(path)) {
        tg_complain("%s is there already: keys are never overwritten", path);
        return TG_ERR_DENIED;
    }
    if (write && (kind == RESTORE_ALL || (kind == RESTORE_KEYS && is_secret(file->name)))) {
        return file_write(restore, file);
    }
    return tg_archive_read_data(&restore->archive, file, -1);
}

static enum tg_err files_take(struct restore *restore, enum restore_kind kind, bool write)
{
    struct tg_archive_file file;
    enum tg_err err;

    while ((err = tg_archive_next(&restore->archive, &file)) == TG_OK) {
        err = file_take(restore, &file, kind, write);
        if (err == TG_ERR_CORRUPT) {
            break;
        }
        if (err != TG_OK) {
            return err;
        }
    }
    if (err == TG_ERR_ABSENT) {
        return TG_OK;
    }
    tg_complain("%s is damaged: nothing of it was taken", restore->from);
    return err;
}

/* nginx.conf names its folder in full. */
static enum tg_err conf_move(struct restore *restore)
{
    static uint8_t old[CONF_BYTES_MAX];
    static uint8_t moved[CONF_BYTES_MAX];
    struct tg_buf text = tg_buf(old, sizeof(old));
    struct tg_buf out = tg_buf(moved, sizeof(moved));
    size_t len = strlen(restore->old_dir);
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = tg_file_read(tg_instance_path(&restore->instance, "nginx.conf", path), true, &text);
    size_t at = 0;

    while (err == TG_OK && at < text.len) {
        const uint8_t *found = memmem(text.ptr + at, text.len - at, restore->old_dir, len);
        size_t to = found == NULL ? text.len : (size_t)(found - text.ptr);
        bool whole = found != NULL && to + len < text.len && (text.ptr[to + len] == '/' || text.ptr[to + len] == ' ');

        tg_buf_put(&out, tg_span(text.ptr + at, to - at));
        if (found != NULL) {
            tg_buf_put_string(&out, whole ? restore->new_dir : restore->old_dir);
        }
        at = found == NULL ? text.len : to + len;
    }
    if (err == TG_OK) {
        err = tg_buf_done(&out);
    }
    if (err == TG_OK && unlink(path) != 0) {
        err = TG_ERR_DENIED;
    }
    return err == TG_OK ? tg_file_new(path, 0644, TG_OWNER_SELF, tg_buf_span(&out)) : err;
}

static enum tg_err place_prepare(struct restore *restore)
{
    struct tg_instance *instance = &restore->instance;
    struct tg_instance accounts = {.dir = ""};
    enum tg_err err = TG_OK;

    if (instance->separated && geteuid() != 0) {
        tg_complain("the backup is of an instance made by root, with users of its own: restore it as root");
        return TG_ERR_DENIED;
    }
    if (instance->separated) {
        err = tg_account_make(&accounts);
    }
    if (err == TG_OK) {
        err = tg_folders_reachable(instance);
    }
    return err == TG_OK ? tg_folders_make(instance) : err;
}

static enum tg_err restore_all(struct restore *restore)
{
    struct tg_instance *instance = &restore->instance;
    enum tg_err err;

    if (tg_file_exists(restore->new_dir)) {
        tg_complain("%s exists: it is never overwritten. Take another folder, or move it away", restore->new_dir);
        return TG_ERR_DENIED;
    }
    if (snprintf(instance->dir, sizeof(instance->dir), "%s.part", restore->new_dir) >= TG_INSTANCE_PATH_BYTES_MAX) {
        tg_complain("the folder's name is too long");
        return TG_ERR_LIMIT;
    }
    if (tg_file_exists(instance->dir)) {
        tg_complain("%s was left by a restore that did not end: remove it", instance->dir);
        return TG_ERR_DENIED;
    }
    err = place_prepare(restore);
    if (err == TG_OK) {
        err = files_take(restore, RESTORE_ALL, true);
    }
    if (err == TG_OK) {
        err = conf_move(restore);
    }
    if (err == TG_OK && rename(instance->dir, restore->new_dir) != 0) {
        tg_complain("%s cannot become %s: %s", instance->dir, restore->new_dir, strerror(errno));
        err = TG_ERR_DENIED;
    }
    if (err != TG_OK) {
        tg_complain("%s is not an instance: remove it", instance->dir);
    }
    return err;
}

static enum tg_err restore_keys(struct restore *restore)
{
    enum tg_err err;

    memcpy(restore->instance.dir, restore->new_dir, sizeof(restore->instance.dir));
    if (!restore->with_keys) {
        tg_complain("%s holds no keys: it was made without --with-keys", restore->from);
        return TG_ERR_ABSENT;
    }
    err = files_take(restore, RESTORE_KEYS, false); /* all is checked first */
    tg_sealed_close(&restore->archive.sealed);
    if (err == TG_OK) {
        err = archive_open(restore);
        memcpy(restore->instance.dir, restore->new_dir, sizeof(restore->instance.dir));
    }
    return err == TG_OK ? files_take(restore, RESTORE_KEYS, true) : err;
}

static void restore_say(const struct restore *restore, enum restore_kind kind)
{
    struct tm parts = {0};
    time_t made = (time_t)restore->made_s;
    char when[32];

    (void)gmtime_r(&made, &parts);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
    (void)printf("%s: %u files, %llu bytes, of %s, made %s\n",
                 kind == RESTORE_CHECK ? "Whole" : "Restored", restore->archive.count,
                 (unsigned long long)restore->archive.bytes, restore->old_dir, when);
    if (kind == RESTORE_ALL) {
        (void)printf("  Payments made after that are unknown to it: compare with the processor before it serves\n"
                     "  (tollgate log tail --instance %s, once its keeper runs).\n",
                     restore->new_dir);
    }
    if (kind == RESTORE_ALL && !restore->with_keys) {
        (void)printf("  It has no keys yet: tollgate restore %s --only-keys --from FILE --passphrase-file FILE\n",
                     restore->new_dir);
    }
}

int tg_command_restore(struct tg_arguments *arguments)
{
    static struct restore restore;
    enum restore_kind kind = tg_arguments_flag(arguments, "check")       ? RESTORE_CHECK
                             : tg_arguments_flag(arguments, "only-keys") ? RESTORE_KEYS
                                                                         : RESTORE_ALL;
    enum tg_err err;

    restore.archive.sealed.fd = -1;
    restore.from = tg_arguments_text(arguments, "from");
    if (restore.from == NULL || (kind != RESTORE_CHECK && tg_arguments_word(arguments, 0) == NULL)) {
        return tg_usage("restore: DIR and --from FILE are needed");
    }
    if (tg_instance_find(arguments, tg_arguments_word(arguments, 0), &restore.instance) != TG_OK ||
        tg_passphrase_read(arguments, restore.passphrase, sizeof(restore.passphrase)) != TG_OK) {
        return TG_EXIT_USAGE;
    }
    memcpy(restore.new_dir, restore.instance.dir, sizeof(restore.new_dir));
    err = archive_open(&restore);
    if (err == TG_OK) {
        err = kind == RESTORE_ALL    ? restore_all(&restore)
              : kind == RESTORE_KEYS ? restore_keys(&restore)
                                     : files_take(&restore, RESTORE_CHECK, false);
    }
    tg_sealed_close(&restore.archive.sealed);
    tg_wipe(restore.passphrase, sizeof(restore.passphrase));
    if (err != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    restore_say(&restore, kind);
    return TG_EXIT_OK;
}
