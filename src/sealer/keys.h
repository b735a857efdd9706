/*
 * keys.h - the master key's file, and the fixed keys that grow from it.
 *
 * Promises: master.key is 32 random bytes in a file of mode 0600 that is never overwritten; each fixed key is
 * HKDF-SHA-256 of it under a text of its own, so that one key's use says nothing of another; after loading only the
 * derived keys are in memory, on pages of their own (tg_secret).
 * Does not: protect the file: who reads it has all keys. An HSM or shares will take its place.
 */
#ifndef TG_SEALER_KEYS_H
#define TG_SEALER_KEYS_H

#include <sys/types.h>

#include "crypto/crypto.h"
#include "wire/seal.h"

#define TG_KEYS_MASTER_NAME "master.key"

enum tg_key_use { TG_KEY_USE_MAC = 1, TG_KEY_USE_SEAL = 2, TG_KEY_USE_SIGN = 3, TG_KEY_USE_WRAP = 4 };

/* The key that wraps the ring's slots: no operation of the wire reaches it. */
#define TG_KEYS_RING 0u

struct tg_keys {
    struct tg_secret memory;
    enum tg_secret_kind kind;
};

/* Makes master.key in the folder when absent, durable. TG_ERR_DENIED: the ring already holds keys of a lost one. */
TG_MUST_CHECK enum tg_err tg_keys_create(int folder);

/* Reads master.key (owned by us or by `owner`, 0600) and derives. */
TG_MUST_CHECK enum tg_err tg_keys_load(struct tg_keys *keys, int folder, uid_t owner);

/* Derives all fixed keys from a master key. */
TG_MUST_CHECK enum tg_err tg_keys_derive(struct tg_keys *keys, const uint8_t master[TG_KEY_BYTES]);

/* A fixed key by its id, or NULL when there is none or it is not for this use. Keys for MACs are held worked in. */
const uint8_t *tg_keys_find(const struct tg_keys *keys, uint32_t id, enum tg_key_use use);
const struct tg_mac_key *tg_keys_find_mac(const struct tg_keys *keys, uint32_t id);

void tg_keys_free(struct tg_keys *keys);

#endif
