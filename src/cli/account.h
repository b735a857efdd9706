/*
 * account.h - the system users that separate the processes; only root makes them.
 *
 * Promises: a user that exists is taken as it is; a new one has no password, no
 * shell and no home. Does not: remove users.
 */
#ifndef TG_CLI_ACCOUNT_H
#define TG_CLI_ACCOUNT_H

#include "cli/instance.h"

#define TG_ACCOUNT_KEEPER "tollgate-keeper"
#define TG_ACCOUNT_SEALER "tollgate-sealer"
#define TG_ACCOUNT_GATE "www-data"
#define TG_ACCOUNT_SANDBOX "nobody"

/* As root: makes the users and names them in the instance; else leaves all names empty. */
TG_MUST_CHECK enum tg_err tg_account_make(struct tg_instance *instance);

#endif
