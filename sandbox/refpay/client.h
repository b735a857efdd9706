/*
 * client.h - the subcommands that speak to a running refpay by its control socket.
 *
 * Promises: each prints its result to stdout and returns the exit code: 0 done, 1 refused or
 * unreachable, 3 the book does not balance.
 */
#ifndef REFPAY_CLIENT_H
#define REFPAY_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct tg_client_options {
    const char *control;
    bool json;
    bool summary; /* without postings */
    const char *kind;
    const char *operation; /* NULL: any */
    int64_t count;
    int64_t delay_ms;
};

int tg_client_ledger(const struct tg_client_options *options);
int tg_client_payments(const struct tg_client_options *options);

/* kind "list" shows what is armed, "clear" disarms. */
int tg_client_fault(const struct tg_client_options *options);

#endif
