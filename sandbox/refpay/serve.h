/*
 * serve.h - `refpay serve`: everything put together, started and ended in order.
 *
 * Promises: prints {"event":"ready",...} when requests are answered; ends cleanly on
 * SIGTERM and SIGINT; opens its log again on SIGHUP. Returns the exit code.
 */
#ifndef REFPAY_SERVE_H
#define REFPAY_SERVE_H

struct tg_serve_options {
    const char *listen;
    const char *control;
    const char *credential_file;
    const char *ledger;  /* NULL: CONTROL.ledger */
    const char *webhook; /* NULL: none */
    const char *pid;     /* NULL: the lock is CONTROL.lock */
    const char *log;     /* NULL: stderr */
    const char *user;    /* NULL: stay who we are */
};

int tg_serve(const struct tg_serve_options *options);

#endif
