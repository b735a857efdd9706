/*
 * secret.c - memory for secrets.
 *
 * Promises: as crypto.h. The strongest kind that the kernel gives is taken, and the caller is told which:
 * memfd_secret pages are outside the kernel's direct map and cannot be read by ptrace or /proc/mem; locked
 * pages never reach swap; neither is dumped or, for the latter two kinds, inherited by a fork.
 * Does not: insist: an unlocked secret is still left out of dumps and wiped, and its kind says so.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/crypto.h"

#include "base/banned.h"

/* Rounded up to whole pages; 0 when that overflows. */
static size_t whole_pages(size_t len)
{
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || len == 0 || len > SIZE_MAX - (size_t)page) {
        return 0;
    }
    return (len + (size_t)page - 1) / (size_t)page * (size_t)page;
}

/* Pages that even the kernel does not map; NULL where it has no memfd_secret or the lock limit is too low. */
static void *map_memfd(size_t pages)
{
#ifdef SYS_memfd_secret
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    void *at = MAP_FAILED;
    if (ftruncate(fd, (off_t)pages) == 0) {
        at = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    return at == MAP_FAILED ? NULL : at;
#else
    (void)pages;
    return NULL;
#endif
}

static void *map_plain(size_t pages, enum tg_secret_kind *kind)
{
    void *at = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    if (madvise(at, pages, MADV_DONTDUMP) != 0 || madvise(at, pages, MADV_WIPEONFORK) != 0) {
        munmap(at, pages);
        return NULL;
    }
    *kind = mlock(at, pages) == 0 ? TG_SECRET_LOCKED : TG_SECRET_UNLOCKED;
    return at;
}

enum tg_err tg_secret_make(struct tg_secret *ret, size_t cap, enum tg_secret_kind *kind)
{
    *ret = (struct tg_secret){0};
    *kind = TG_SECRET_UNLOCKED;
    size_t pages = whole_pages(cap);
    if (pages == 0) {
        return TG_ERR_LIMIT;
    }
    void *at = map_memfd(pages);
    if (at != NULL) {
        *kind = TG_SECRET_MEMFD;
    } else {
        at = map_plain(pages, kind);
    }
    if (at == NULL) {
        return TG_ERR_DOWN;
    }
    *ret = (struct tg_secret){at, 0, cap, pages};
    return TG_OK;
}

void tg_secret_free(struct tg_secret *secret)
{
    if (secret->ptr != NULL) {
        tg_wipe(secret->ptr, secret->pages);
        munmap(secret->ptr, secret->pages);
    }
    *secret = (struct tg_secret){0};
}
