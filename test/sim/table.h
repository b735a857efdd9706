/*
 * table.h - 16 bytes to a number: the index of the simulator's stores and models.
 *
 * Promises: a key that was set is found; setting it again replaces its number. Grows; never forgets.
 * Does not: fail but by ending the program when there is no memory.
 */
#ifndef TG_SIM_TABLE_H
#define TG_SIM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define SIM_KEY_BYTES 16
#define SIM_NONE UINT32_MAX

struct sim_table {
    uint8_t (*keys)[SIM_KEY_BYTES];
    uint32_t *values; /* SIM_NONE: free */
    size_t room;
    size_t count;
};

uint32_t sim_table_get(const struct sim_table *table, const uint8_t key[SIM_KEY_BYTES]);
void sim_table_set(struct sim_table *table, const uint8_t key[SIM_KEY_BYTES], uint32_t value);
void sim_table_free(struct sim_table *table);

/* `count` rows of `size` at *rows have room for one more afterwards. */
void *sim_grow(void *rows, size_t count, size_t size);

#endif
