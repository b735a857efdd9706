/*
 * folders.c - see folders.h.
 */
#include "cli/folders.h"

#include "cli/command.h"
#include "cli/service.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* System users must be able to walk to the instance. */
enum tg_err tg_folders_reachable(const struct tg_instance *instance)
{
    char part[TG_PATH_BYTES_MAX];
    struct stat status;
    size_t i;

    if (!instance->separated) {
        return TG_OK;
    }
    memcpy(part, instance->dir, sizeof(part));
    for (i = 1; part[i] != '\0'; i++) {
        if (part[i] != '/') {
            continue;
        }
        part[i] = '\0';
        if (stat(part, &status) == 0 && (status.st_mode & S_IXOTH) == 0) {
            tg_complain("%s cannot be entered by the system users of the processes: choose a folder like "
                        "/var/lib/tollgate/NAME",
                        part);
            return TG_ERR_DENIED;
        }
        part[i] = '/';
    }
    return TG_OK;
}

enum tg_err tg_folders_owner(const struct tg_instance *instance, const char *name, struct tg_owner *ret)
{
    const struct {
        const char *folder;
        const char *user;
    } owners[] = {{"keys", instance->sealer_user}, {"store", instance->keeper_user}, {"sandbox", instance->sandbox_user}};
    size_t i;

    for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        size_t len = strlen(owners[i].folder);

        if (strncmp(name, owners[i].folder, len) == 0 && (name[len] == '/' || name[len] == '\0')) {
            return tg_user_find(owners[i].user, ret);
        }
    }
    *ret = TG_OWNER_SELF;
    return TG_OK;
}

/* An instance that joins another finds that one's sealer where its own would be. */
static enum tg_err sealer_join(const struct tg_instance *instance)
{
    char there[TG_PATH_BYTES_MAX];
    char here[TG_PATH_BYTES_MAX];

    if (instance->joins[0] == '\0') {
        return TG_OK;
    }
    if (tg_path_join(there, instance->joins, "run/sealer.sock") != TG_OK ||
        symlink(there, tg_instance_path(instance, "run/sealer.sock", here)) != 0) {
        tg_complain("cannot make %s/run/sealer.sock: %s", instance->dir, strerror(errno));
        return TG_ERR_DENIED;
    }
    return TG_OK;
}

enum tg_err tg_folders_make(const struct tg_instance *instance)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {{"tls", 0755},    {"profiles", 0755}, {"run", 0755},   {"log", 0755},    {"client", 0755},
                   {"tmp", 0755},    {"keys", 0700},     {"store", 0700}, {"sandbox", 0700}};
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = tg_folder_make_all(instance->dir, 0755);
    size_t i;

    for (i = 0; err == TG_OK && i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct tg_owner owner;

        if ((strcmp(folders[i].name, "sandbox") == 0 && !instance->sandbox) ||
            (strcmp(folders[i].name, "keys") == 0 && instance->joins[0] != '\0')) {
            continue;
        }
        err = tg_folders_owner(instance, folders[i].name, &owner);
        if (err == TG_OK) {
            err = tg_folder_make(tg_instance_path(instance, folders[i].name, path), folders[i].mode, owner);
        }
    }
    if (err == TG_OK) {
        err = sealer_join(instance);
    }
    if (err == TG_OK) {
        err = tg_service_pid_files(instance);
    }
    return err == TG_OK ? tg_service_logs(instance) : err;
}
