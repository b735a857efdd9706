/*
 * memory.h - an allocator that a test can have fail at any call.
 *
 * A program that is linked with memory.c has itself and its libraries (SQLite, OpenSSL) call it instead of libc's.
 * What the test itself needs in between (the disk in memory) asks for memory_own_*.
 *
 * Promises: while it is watched and inside is set, every allocation is asked of the hook first.
 * Does not: work beside a sanitizer, which brings its own (MEMORY_CAN_FAIL is 0 then and nothing is asked).
 */
#ifndef TEST_CRASH_MEMORY_H
#define TEST_CRASH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_CAN_FAIL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MEMORY_CAN_FAIL 0
#endif
#endif
#ifndef MEMORY_CAN_FAIL
#define MEMORY_CAN_FAIL 1
#endif

/* True: this one fails. `number` counts from 0 since the watch began. */
typedef bool (*memory_hook)(void *user, uint64_t number);

/* NULL: nobody is asked any more. */
void memory_watch(memory_hook hook, void *user);

/* The program under test begins (true) or has ended a call. False outside of a watch. */
void memory_inside(bool inside);

/* The test's own work in the middle of a call; never asked about. To be given to free. */
void *memory_own_malloc(size_t len);
void *memory_own_calloc(size_t count, size_t len);
void *memory_own_realloc(void *old, size_t len);

#endif
