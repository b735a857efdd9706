/* memory.c - see memory.h. */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>

static struct {
    memory_hook hook;
    void *user;
    uint64_t number;
    bool inside;
} watched;

void memory_watch(memory_hook hook, void *user)
{
    watched.hook = hook;
    watched.user = user;
    watched.number = 0;
    watched.inside = false;
}

void memory_inside(bool inside)
{
    watched.inside = inside && watched.hook != NULL;
}

#if MEMORY_CAN_FAIL

/* glibc's own, by the names that it keeps for allocators that stand before it. */
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t count, size_t len);
extern void *__libc_realloc(void *old, size_t len);

static bool fails(void)
{
    if (!watched.inside) {
        return false;
    }
    watched.inside = false; /* the hook may allocate */
    bool no = watched.hook(watched.user, watched.number++);
    watched.inside = watched.hook != NULL;
    if (no) {
        errno = ENOMEM;
    }
    return no;
}

void *malloc(size_t len)
{
    return fails() ? NULL : __libc_malloc(len);
}

void *calloc(size_t count, size_t len)
{
    return fails() ? NULL : __libc_calloc(count, len);
}

void *realloc(void *old, size_t len)
{
    return fails() ? NULL : __libc_realloc(old, len);
}

void *memory_own_malloc(size_t len)
{
    return __libc_malloc(len);
}

void *memory_own_calloc(size_t count, size_t len)
{
    return __libc_calloc(count, len);
}

void *memory_own_realloc(void *old, size_t len)
{
    return __libc_realloc(old, len);
}

#else

void *memory_own_malloc(size_t len)
{
    return malloc(len);
}

void *memory_own_calloc(size_t count, size_t len)
{
    return calloc(count, len);
}

void *memory_own_realloc(void *old, size_t len)
{
    return realloc(old, len);
}

#endif
