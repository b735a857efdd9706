/*
 * keys_test.c - a master key is made once, read only when it is safe, and each key has one use.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "sealer/keys.h"
#include "sealer/ring.h"

static char folder_path[] = "/tmp/tollgate-keys-XXXXXX";
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

static void test_make_and_load(void **state)
{
    (void)state;
    struct tg_keys keys;
    struct tg_keys again;
    struct stat status;
    assert_int_equal(tg_keys_load(&keys, folder, getuid()), TG_ERR_ABSENT);
    assert_int_equal(tg_keys_create(folder), TG_OK);
    assert_int_equal(fstatat(folder, "master.key", &status, 0), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_size, 32);
    assert_int_not_equal(faccessat(folder, "master.key.new", F_OK, 0), 0);
    assert_int_equal(tg_keys_load(&keys, folder, getuid()), TG_OK);
    assert_int_equal(tg_keys_create(folder), TG_OK);
    assert_int_equal(tg_keys_load(&again, folder, getuid()), TG_OK);
    assert_memory_equal(keys.memory.ptr, again.memory.ptr, keys.memory.len);
    tg_keys_free(&keys);
    tg_keys_free(&again);
    assert_null(tg_keys_find_mac(&keys, TG_SEAL_KEY_CLAIM));
}

static void test_unsafe_files(void **state)
{
    (void)state;
    struct tg_keys keys;
    assert_int_equal(fchmodat(folder, "master.key", 0604, 0), 0);
    assert_int_equal(tg_keys_load(&keys, folder, getuid()), TG_ERR_DENIED);
    assert_int_equal(fchmodat(folder, "master.key", 0600, 0), 0);
    assert_int_equal(renameat(folder, "master.key", folder, "away"), 0);
    assert_int_equal(symlinkat("away", folder, "master.key"), 0);
    assert_int_equal(tg_keys_load(&keys, folder, getuid()), TG_ERR_ABSENT);
    assert_int_equal(renameat(folder, "away", folder, "master.key"), 0);
    int fd = openat(folder, "master.key", O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(tg_keys_load(&keys, folder, getuid()), TG_ERR_CORRUPT);
}

static void test_one_use(void **state)
{
    (void)state;
    static const uint8_t master[TG_KEY_BYTES] = {9};
    struct tg_keys keys = {0};
    assert_int_equal(tg_keys_derive(&keys, master), TG_OK);
    const struct tg_mac_key *claim = tg_keys_find_mac(&keys, TG_SEAL_KEY_CLAIM);
    const struct tg_mac_key *pseudonym = tg_keys_find_mac(&keys, TG_SEAL_KEY_PSEUDONYM);
    const uint8_t *wrap = tg_keys_find(&keys, TG_KEYS_RING, TG_KEY_USE_WRAP);
    assert_non_null(claim);
    assert_non_null(pseudonym);
    assert_non_null(wrap);
    assert_memory_not_equal(claim, pseudonym, sizeof(*claim));
    assert_non_null(tg_keys_find(&keys, TG_SEAL_KEY_CREDENTIAL, TG_KEY_USE_SEAL));
    assert_non_null(tg_keys_find(&keys, TG_SEAL_KEY_RECORD, TG_KEY_USE_SIGN));
    assert_null(tg_keys_find(&keys, TG_SEAL_KEY_CLAIM, TG_KEY_USE_SEAL));
    assert_null(tg_keys_find(&keys, TG_SEAL_KEY_CLAIM, TG_KEY_USE_MAC));
    assert_null(tg_keys_find_mac(&keys, TG_SEAL_KEY_CREDENTIAL));
    assert_null(tg_keys_find(&keys, TG_KEYS_RING, TG_KEY_USE_SEAL));
    assert_null(tg_keys_find_mac(&keys, 6));
    tg_keys_free(&keys);
}

/* What instances MACed before keys were held worked in is still the same. */
static void test_mac_stays(void **state)
{
    (void)state;
    static const uint8_t master[TG_KEY_BYTES] = {9};
    struct tg_keys keys = {0};
    uint8_t key[TG_KEY_BYTES];
    uint8_t expected[TG_DIGEST_BYTES];
    uint8_t mac[TG_DIGEST_BYTES];
    assert_int_equal(tg_keys_derive(&keys, master), TG_OK);
    assert_int_equal(tg_hkdf_sha256(tg_span(master, sizeof(master)), TG_SPAN("tollgate 1 mac claim"), key, sizeof(key)),
                     TG_OK);
    assert_int_equal(tg_hmac_sha256(tg_span(key, sizeof(key)), TG_SPAN("text"), expected), TG_OK);
    assert_int_equal(tg_mac(tg_keys_find_mac(&keys, TG_SEAL_KEY_CLAIM), TG_SPAN("text"), mac), TG_OK);
    assert_memory_equal(mac, expected, sizeof(mac));
    tg_keys_free(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_and_load),
        cmocka_unit_test(test_unsafe_files),
        cmocka_unit_test(test_one_use),
        cmocka_unit_test(test_mac_stays),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
