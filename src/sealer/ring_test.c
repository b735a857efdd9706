/*
 * ring_test.c - keys survive, torn and foreign slots are told apart, and neighbours do not disturb each other.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sealer/ring.h"

static char folder_path[] = "/tmp/tollgate-ring-XXXXXX";
static int folder = -1;

static int open_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder_path) == NULL) {
        return 1;
    }
    folder = open(folder_path, O_RDONLY | O_DIRECTORY);
    return folder >= 0 ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlinkat(folder, TG_RING_NAME, 0);
    unlinkat(folder, "master.key", 0);
    close(folder);
    return rmdir(folder_path);
}

static const uint8_t wrap[TG_KEY_BYTES] = {1};
static struct tg_ring ring;

static void reopen(void)
{
    tg_ring_close(&ring);
    assert_int_equal(tg_ring_open(&ring, folder, wrap), TG_OK);
}

/* Changes one byte of the file behind the ring's back. */
static void damage(uint32_t slot, size_t at)
{
    uint8_t byte = 0;
    off_t offset = (off_t)slot * (off_t)TG_RING_SLOT_BYTES + (off_t)at;
    int fd = openat(folder, TG_RING_NAME, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static void test_life(void **state)
{
    (void)state;
    uint8_t key[TG_KEY_BYTES];
    ring.fd = -1;
    assert_int_equal(tg_ring_open(&ring, folder, wrap), TG_ERR_ABSENT);
    assert_int_equal(tg_ring_create(folder), TG_OK);
    reopen();
    assert_null(tg_ring_find(&ring, 5));
    assert_int_equal(tg_ring_make(&ring, 5), TG_OK);
    memcpy(key, tg_ring_find(&ring, 5), sizeof(key));
    assert_int_equal(tg_ring_make(&ring, 5), TG_OK);
    assert_memory_equal(tg_ring_find(&ring, 5), key, sizeof(key));
    reopen();
    assert_int_equal(ring.count, 1);
    assert_memory_equal(tg_ring_find(&ring, 5), key, sizeof(key));
    assert_int_equal(tg_ring_create(folder), TG_OK); /* leaves what is there */
    assert_int_equal(tg_ring_destroy(&ring, 5), TG_OK);
    assert_null(tg_ring_find(&ring, 5));
    assert_int_equal(tg_ring_destroy(&ring, 5), TG_OK);
    reopen();
    assert_int_equal(ring.count, 0);
}

/* Segments that fall on one slot, across the end of the file, and with a gap between them. */
static void test_collisions(void **state)
{
    (void)state;
    const uint32_t last = TG_RING_SLOTS - 1;
    const uint32_t segments[] = {last, last + TG_RING_SLOTS, last + 2 * TG_RING_SLOTS, 0xffffffffu};
    uint8_t keys[4][TG_KEY_BYTES];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tg_ring_make(&ring, segments[i]), TG_OK);
        memcpy(keys[i], tg_ring_find(&ring, segments[i]), TG_KEY_BYTES);
    }
    assert_memory_not_equal(keys[0], keys[1], TG_KEY_BYTES);
    assert_int_equal(tg_ring_destroy(&ring, segments[1]), TG_OK);
    reopen();
    assert_null(tg_ring_find(&ring, segments[1]));
    assert_memory_equal(tg_ring_find(&ring, segments[0]), keys[0], TG_KEY_BYTES);
    assert_memory_equal(tg_ring_find(&ring, segments[2]), keys[2], TG_KEY_BYTES);
    assert_memory_equal(tg_ring_find(&ring, segments[3]), keys[3], TG_KEY_BYTES);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tg_ring_destroy(&ring, segments[i]), TG_OK);
    }
}

/* Any changed byte of what the checksum covers makes a slot torn: absent, and free again. */
static void test_torn(void **state)
{
    (void)state;
    for (size_t at = 0; at < 72; at += 5) {
        assert_int_equal(tg_ring_make(&ring, 9), TG_OK);
        damage(9, at);
        reopen();
        assert_int_equal(ring.torn, 1);
        assert_null(tg_ring_find(&ring, 9));
    }
    assert_int_equal(tg_ring_make(&ring, 9), TG_OK);
    reopen();
    assert_int_equal(ring.torn, 0);
    assert_int_equal(tg_ring_destroy(&ring, 9), TG_OK);
}

static void test_refused(void **state)
{
    (void)state;
    static const uint8_t other[TG_KEY_BYTES] = {2};
    static struct tg_ring second;
    assert_int_equal(tg_ring_make(&ring, 3), TG_OK);
    assert_int_equal(tg_ring_open(&second, folder, wrap), TG_ERR_DENIED); /* one sealer at a time */
    tg_ring_close(&ring);
    assert_int_equal(tg_ring_open(&ring, folder, other), TG_ERR_CORRUPT);
    assert_int_equal(fchmodat(folder, TG_RING_NAME, 0640, 0), 0);
    assert_int_equal(tg_ring_open(&ring, folder, wrap), TG_ERR_DENIED);
    assert_int_equal(fchmodat(folder, TG_RING_NAME, 0600, 0), 0);
    int fd = openat(folder, TG_RING_NAME, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(tg_ring_open(&ring, folder, wrap), TG_ERR_CORRUPT);
    assert_int_equal(tg_ring_make(&ring, 4), TG_ERR_DOWN);
    assert_int_equal(tg_ring_destroy(&ring, 3), TG_ERR_DOWN);
}

/* After a failed write nothing more is promised until the next start. */
static void test_broken(void **state)
{
    (void)state;
    unlinkat(folder, TG_RING_NAME, 0);
    assert_int_equal(tg_ring_create(folder), TG_OK);
    assert_int_equal(tg_ring_open(&ring, folder, wrap), TG_OK);
    assert_int_equal(tg_ring_make(&ring, 1), TG_OK);
    int good = ring.fd;
    ring.fd = open("/dev/full", O_RDWR);
    assert_int_equal(tg_ring_make(&ring, 2), TG_ERR_DOWN);
    assert_null(tg_ring_find(&ring, 2));
    close(ring.fd);
    ring.fd = good;
    assert_int_equal(tg_ring_make(&ring, 2), TG_ERR_DOWN);
    assert_int_equal(tg_ring_destroy(&ring, 1), TG_ERR_DOWN);
    assert_non_null(tg_ring_find(&ring, 1)); /* what lives may still be used */
    reopen();
    assert_int_equal(ring.count, 1);
    tg_ring_close(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),    cmocka_unit_test(test_collisions), cmocka_unit_test(test_torn),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
