/*
 * testkit.h - what the store's tests share: a store in a folder of its own, and works with few words.
 *
 * Promises: each test's folder is new and is removed at the end.
 * Does not: belong to any program.
 */
#ifndef TG_STORE_TESTKIT_H
#define TG_STORE_TESTKIT_H

#include "store/state.h"
#include "wire/message.h"

#define KIT_SECOND 1000000ll
#define KIT_DAY (86400 * KIT_SECOND)
#define KIT_START (1700000000 * KIT_SECOND) /* 2023-11-14T22:13:20Z */
#define KIT_QUOTA_DAY 19675

/* With TOLLGATE_TEST_POSTGRES in the environment (test/lib/postgres.py) each test has a schema of its own on that
 * server instead of a folder. What only files have is tested without it. */
#define KIT_POSTGRES "TOLLGATE_TEST_POSTGRES"

struct kit {
    char path[64];
    char connection[512]; /* empty: a folder */
    char database[64];    /* of its own, made by kit_own_database */
    struct tg_store_options options;
    struct tg_store *store;
    int64_t now_us;
    uint8_t block[1 << 20];
    struct tg_arena arena;
};

int kit_setup(void **state);    /* cmocka: a fresh store */
int kit_teardown(void **state);
void kit_reopen(struct kit *kit);
/* True when the test is not for this store, and says so. */
bool kit_skip(const struct kit *kit);
/* Skips the test when there is no server. */
void kit_need_server(const struct kit *kit);
/* A database that no other test sees, so that the test may change what the server has there. */
void kit_own_database(struct kit *kit);
void kit_sql(const struct kit *kit, const char *sql); /* on a session of its own */
struct tg_store *kit_second(struct kit *kit); /* another keeper's, on the same database; the test closes it */
void kit_commit_to(struct kit *kit, struct tg_store *store, struct tg_work *work);
void kit_break(struct kit *kit, struct tg_store *store); /* the server ends its sessions */
void kit_forget_recent(struct kit *kit); /* as if what was told was told long ago */
/* What stands in a counter of partner 7, test, EUR. */
void kit_counter(struct kit *kit, int32_t day, int64_t *ret_reserved, int64_t *ret_committed);
/* Commits one work and asserts that it is durable. */
void kit_commit(struct kit *kit, struct tg_work *work);
void kit_rotate(struct kit *kit, int64_t now_us); /* a call that asserts TG_OK; results are dropped */

/* Ids made of a number; key and fingerprint are told apart from ids. */
void kit_bytes(uint8_t *to, size_t len, uint8_t what, uint64_t number);
struct tg_work kit_admit(const struct kit *kit, uint64_t request, uint64_t key, uint64_t print);
struct tg_work kit_settle(const struct kit *kit, uint64_t request, uint64_t ticket, uint8_t outcome, uint16_t status);
struct tg_work kit_lost(const struct kit *kit, uint64_t owner);
struct tg_work kit_resolve(const struct kit *kit, uint64_t request, bool executed);

/* Admit and settle at once; the result of each is asserted to be TAKEN and TG_OK. The ticket. */
uint64_t kit_pair(struct kit *kit, uint64_t request, uint64_t key, const char *answer);
/* Asks for the key with a request of its own; the result. */
enum tg_claim_result kit_ask(struct kit *kit, uint64_t request, uint64_t key, uint64_t print);

/* Segments of `rows` rows, kept for 30 days. */
void kit_small_segments(struct kit *kit, uint64_t rows);
/* Ten settled pairs (keys n * 100 + 0..9) and one claim in flight (n * 100 + 50) a segment, five sealed segments. */
void kit_fill(struct kit *kit);

#endif
