/*
 * table.c - see table.h.
 *
 * Promises: keys are digests or random already: their first bytes are the hash.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

static size_t place(const struct sim_table *table, const uint8_t key[SIM_KEY_BYTES])
{
    uint64_t head;
    memcpy(&head, key, sizeof(head));
    size_t at = (size_t)(head * 0x9e3779b97f4a7c15u >> 20) & (table->room - 1);
    while (table->values[at] != SIM_NONE && memcmp(table->keys[at], key, SIM_KEY_BYTES) != 0) {
        at = (at + 1) & (table->room - 1);
    }
    return at;
}

uint32_t sim_table_get(const struct sim_table *table, const uint8_t key[SIM_KEY_BYTES])
{
    return table->room == 0 ? SIM_NONE : table->values[place(table, key)];
}

static void resize(struct sim_table *table, size_t room)
{
    struct sim_table larger = {malloc(room * SIM_KEY_BYTES), malloc(room * sizeof(uint32_t)), room, table->count};
    if (larger.keys == NULL || larger.values == NULL) {
        abort();
    }
    memset(larger.values, 0xff, room * sizeof(uint32_t));
    for (size_t i = 0; i < table->room; i++) {
        if (table->values[i] != SIM_NONE) {
            size_t at = place(&larger, table->keys[i]);
            memcpy(larger.keys[at], table->keys[i], SIM_KEY_BYTES);
            larger.values[at] = table->values[i];
        }
    }
    sim_table_free(table);
    *table = larger;
}

void sim_table_set(struct sim_table *table, const uint8_t key[SIM_KEY_BYTES], uint32_t value)
{
    if (table->count * 2 >= table->room) {
        resize(table, table->room == 0 ? 4096 : table->room * 2);
    }
    size_t at = place(table, key);
    table->count += table->values[at] == SIM_NONE;
    memcpy(table->keys[at], key, SIM_KEY_BYTES);
    table->values[at] = value;
}

void sim_table_free(struct sim_table *table)
{
    free(table->keys);
    free(table->values);
    *table = (struct sim_table){0};
}

void *sim_grow(void *rows, size_t count, size_t size)
{
    if (count != 0 && (count < 16 || (count & (count - 1)) != 0)) {
        return rows;
    }
    void *larger = reallocarray(rows, count < 16 ? 16 : count * 2, size);
    if (larger == NULL) {
        abort();
    }
    return larger;
}
