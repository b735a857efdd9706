/*
 * service.h - the processes of an instance: how each is called, when it is ready, how it is told to stop.
 *
 * Promises: command lines follow DESIGN.md; services stand in the order in which they start.
 * Does not: supervise (up.c) or wait.
 */
#ifndef TG_CLI_SERVICE_H
#define TG_CLI_SERVICE_H

#include "cli/instance.h"
#include "cli/program.h"

enum tg_service {
    TG_SERVICE_SEALER = 0,
    TG_SERVICE_KEEPER = 1,
    TG_SERVICE_REFPAY = 2,
    TG_SERVICE_NGINX = 3,
    TG_SERVICE_COUNT = 4
};

#define TG_SERVICE_TEXT_BYTES 4096

/* A command line with the memory that its words stand in. */
struct tg_service_line {
    struct tg_program_line program;
    char text[TG_SERVICE_TEXT_BYTES];
    size_t text_len;
};

/* "sealer", "keeper", "refpay", "nginx": pid files and logs are named so. */
const char *tg_service_name(enum tg_service service);

/* refpay stands only in sandbox instances. */
bool tg_service_wanted(const struct tg_instance *instance, enum tg_service service);

TG_MUST_CHECK enum tg_err tg_service_line(const struct tg_instance *instance, enum tg_service service,
                                          struct tg_service_line *ret);

/* Answers now? */
bool tg_service_ready(const struct tg_instance *instance, enum tg_service service);

/* The signal that stops it with what is under way finished. */
int tg_service_stop_signal(enum tg_service service);
int tg_service_stop_wait_ms(enum tg_service service);

/* The running process by its pid file (locked, or nginx's own), or 0. */
pid_t tg_service_pid(const struct tg_instance *instance, enum tg_service service);

/* Makes the log files that are missing, owned by who writes them. */
TG_MUST_CHECK enum tg_err tg_service_logs(const struct tg_instance *instance);

/* Makes the daemons' pid files that are missing, so that a daemon that never was root can lock its own. */
TG_MUST_CHECK enum tg_err tg_service_pid_files(const struct tg_instance *instance);

/* A stream to "ADDRESS:PORT", within a second; -1: none. */
int tg_address_connect(const char *address);

/* Something listens at "ADDRESS:PORT" now. */
bool tg_address_answers(const char *address);

#endif
