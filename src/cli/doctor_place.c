/*
 * doctor_place.c - where the instance stands: who can walk there, who owns what, room on the disk, the clock.
 */
#include "cli/doctor.h"

#include "cli/service.h"

#include <dirent.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define DISK_FAULT_BYTES (100ull * 1024 * 1024) /* a batch and a checkpoint must still fit */
#define DISK_WARN_BYTES (2048ull * 1024 * 1024)
#define INODES_WARN 1000
#define TIME_LEAST_S 1735689600 /* 2025-01-01: no clock of a running system is before this program */

/* statfs(2): file systems that forget, and file systems whose locks and syncs cross a network. */
#define FS_TMPFS 0x01021994
#define FS_RAMFS 0x858458f6
#define FS_NFS 0x6969
#define FS_SMB2 0xfe534d42
#define FS_CIFS 0xff534d42

/* The system users walk from the root to their folders. */
static void check_way(struct tg_doctor *doctor)
{
    char part[TG_PATH_BYTES_MAX];
    struct stat status;
    size_t len = strlen(doctor->instance.dir);
    size_t i;

    if (!doctor->instance.separated) {
        return;
    }
    memcpy(part, doctor->instance.dir, len + 1);
    for (i = 1; i <= len; i++) {
        if (doctor->instance.dir[i] != '/' && doctor->instance.dir[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        if (stat(part, &status) == 0 && (status.st_mode & S_IXOTH) == 0) {
            tg_doctor_find(doctor, TG_FINDING_FAULT, "chmod o+x on it: what is secret below has modes of its own",
                           "%s cannot be entered by the users of the processes", part);
        }
        part[i] = doctor->instance.dir[i];
    }
}

/* A path of the instance with the mode bits it may have and its owner. */
static void check_path(struct tg_doctor *doctor, const char *name, mode_t allowed, const char *user)
{
    const struct passwd *entry = user[0] == '\0' ? NULL : getpwnam(user);
    char path[TG_PATH_BYTES_MAX];
    char remedy[TG_PATH_BYTES_MAX + 64];
    struct stat status;

    if (lstat(tg_instance_path(&doctor->instance, name, path), &status) != 0) {
        tg_doctor_find(doctor, TG_FINDING_FAULT,
                       "restore it from the backup (keys: tollgate restore DIR --only-keys), or make a new instance",
                       "%s is missing", path);
        return;
    }
    if ((status.st_mode & 07777 & ~allowed) != 0) {
        (void)snprintf(remedy, sizeof(remedy), "chmod %o %s", (unsigned)allowed, path);
        tg_doctor_find(doctor, TG_FINDING_FAULT, remedy, "%s has mode %o, at most %o is right", path,
                       (unsigned)(status.st_mode & 07777), (unsigned)allowed);
    }
    if (entry != NULL && status.st_uid != entry->pw_uid) {
        (void)snprintf(remedy, sizeof(remedy), "chown %s %s", user, path);
        tg_doctor_find(doctor, TG_FINDING_FAULT, remedy, "%s does not belong to %s", path, user);
    }
}

/* API keys that init or an operator has put there; none need be. */
static void check_client_keys(struct tg_doctor *doctor)
{
    char path[TG_PATH_BYTES_MAX];
    char name[300];
    DIR *folder = opendir(tg_instance_path(&doctor->instance, "client", path));
    const struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > 4 && strcmp(entry->d_name + len - 4, ".key") == 0) {
            (void)snprintf(name, sizeof(name), "client/%s", entry->d_name);
            check_path(doctor, name, 0600, "");
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static void check_modes(struct tg_doctor *doctor)
{
    const struct tg_instance *instance = &doctor->instance;
    const char *keys = instance->sealer_user;
    bool own = instance->joins[0] == '\0';
    int before = doctor->faults;

    if (own) {
        check_path(doctor, "keys", 0700, keys);
    }
    check_path(doctor, "store", 0700, instance->keeper_user);
    check_path(doctor, "tls/ca.key", 0600, "");
    check_path(doctor, "tls/server.key", 0600, "");
    check_path(doctor, "nginx.conf", 0644, "");
    check_path(doctor, "tollgate.json", 0644, "");
    check_path(doctor, "run", 0755, "");
    check_path(doctor, "log", 0755, "");
    if (own && (geteuid() == 0 || !instance->separated)) {
        check_path(doctor, "keys/master.key", 0600, keys);
        check_path(doctor, "keys/answers.ring", 0600, keys);
    }
    if (geteuid() == 0 || !instance->separated) {
        check_path(doctor, doctor->instance.postgres ? "store/connection" : "store/tollgate.sqlite", 0600, instance->keeper_user);
    }
    if (instance->separated) {
        /* The daemons open these again by themselves when logs are rotated. */
        check_path(doctor, "log/keeper.log", 0640, instance->keeper_user);
        check_path(doctor, "log/sealer.log", 0640, keys);
    }
    if (instance->sandbox) {
        check_client_keys(doctor);
        check_path(doctor, "sandbox", 0700, instance->sandbox_user);
    }
    if (doctor->faults == before) {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "owners and modes are right");
    }
    if (!own) {
        return;
    }
    tg_doctor_find(doctor, TG_FINDING_WARNING,
                   "keep the backup of keys/ apart from that of store/; an HSM comes with a later release",
                   "the master key is a file: who reads %s/keys/master.key can open all that is sealed", instance->dir);
}

/* Copied to a server, and still named as the store: the keeper does not start from it. */
static void check_moved(struct tg_doctor *doctor)
{
    char path[TG_PATH_BYTES_MAX];

    if (!doctor->instance.postgres && tg_file_exists(tg_instance_path(&doctor->instance, "store/moved", path))) {
        tg_doctor_find(doctor, TG_FINDING_FAULT,
                       "add  \"store\": \"postgres\"  to tollgate.json; where the copy broke off: `tollgate store verify`",
                       "the store was copied to a server (%s): no keeper starts from its folder", path);
    }
}

static void check_clock(struct tg_doctor *doctor)
{
    struct timex state = {0};

    if (time(NULL) < TIME_LEAST_S) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "set the clock and keep it with chrony or systemd-timesyncd",
                       "the clock stands before this program was written");
        return;
    }
    if (adjtimex(&state) < 0 || (state.status & STA_UNSYNC) != 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "run chrony or systemd-timesyncd",
                       "the kernel says that the clock is not synchronised");
        return;
    }
    tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the clock is synchronised");
}

static void check_disk(struct tg_doctor *doctor)
{
    struct statvfs disk;
    unsigned long long free_bytes;

    if (statvfs(doctor->instance.dir, &disk) != 0) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "is the volume mounted?", "the volume of %s cannot be looked at",
                       doctor->instance.dir);
        return;
    }
    free_bytes = (unsigned long long)disk.f_bavail * disk.f_frsize;
    if (free_bytes < DISK_FAULT_BYTES) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "make room: a full disk stops every payment (503)",
                       "only %llu MB are free", free_bytes >> 20);
    } else if (free_bytes < DISK_WARN_BYTES) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "make room before the disk is full: then every payment gets 503",
                       "%llu MB are free", free_bytes >> 20);
    } else {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "%llu GB are free", free_bytes >> 30);
    }
    if (disk.f_files > 0 && disk.f_favail < INODES_WARN) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "remove small files of others", "few inodes are left");
    }
}

static void check_file_system(struct tg_doctor *doctor)
{
    struct statfs system;
    char path[TG_PATH_BYTES_MAX];
    unsigned kind;

    if (statfs(tg_instance_path(&doctor->instance, "store", path), &system) != 0 &&
        statfs(doctor->instance.dir, &system) != 0) {
        return; /* said by check_disk */
    }
    kind = (unsigned)system.f_type;
    if (kind == FS_TMPFS || kind == FS_RAMFS) {
        tg_doctor_find(doctor, doctor->instance.sandbox ? TG_FINDING_WARNING : TG_FINDING_FAULT,
                       "move the instance to a disk", "%s stands in memory: a restart forgets every payment", path);
    } else if (kind == FS_NFS || kind == FS_SMB2 || kind == FS_CIFS) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "move the instance to a local disk, or use the PostgreSQL store",
                       "%s stands on a network file system, whose locks and syncs cannot be relied on", path);
    }
}

void tg_doctor_place(struct tg_doctor *doctor)
{
    check_way(doctor);
    check_modes(doctor);
    check_moved(doctor);
    check_clock(doctor);
    check_disk(doctor);
    check_file_system(doctor);
}
