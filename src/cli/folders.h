/*
 * folders.h - the folders of an instance, with their modes and owners.
 *
 * Promises: the same for `init` and `restore`.
 */
#ifndef TG_CLI_FOLDERS_H
#define TG_CLI_FOLDERS_H

#include "cli/instance.h"

/* Makes the instance's folder, all below it, logs and pid files; what is there is given its mode and owner. Complains. */
TG_MUST_CHECK enum tg_err tg_folders_make(const struct tg_instance *instance);

/* Who owns a file of the instance, by the folder that "keys/master.key" begins with. */
TG_MUST_CHECK enum tg_err tg_folders_owner(const struct tg_instance *instance, const char *name, struct tg_owner *ret);

/* System users must be able to walk to the instance. Complains. */
TG_MUST_CHECK enum tg_err tg_folders_reachable(const struct tg_instance *instance);

#endif
