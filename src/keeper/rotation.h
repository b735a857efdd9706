/*
 * rotation.h - a new segment gets its key before answers are sealed under it; an old one's key is destroyed.
 *
 * Promises: the segment that seals changes only when the sealer said that its key is durable; the
 * store hears of a destroyed key only when the sealer said that it is gone.
 * Does not: decide when.
 */
#ifndef TG_KEEPER_ROTATION_H
#define TG_KEEPER_ROTATION_H

#include "keeper/keeper.h"

/* Ties the committer's rotations and the sealer's link to each other. */
void tg_rotation_bind(struct tg_keeper *keeper);

/* Asks again for a key that could not be made; once a second. */
void tg_rotation_tick(struct tg_keeper *keeper);

#endif
