/*
 * doctor.h - what the parts of `tollgate doctor` share: the instance, and a list of findings.
 *
 * Promises: a fault stops payments or exposes a secret; a warning does not yet; each of both names its remedy.
 * Does not: change anything, ever.
 */
#ifndef TG_CLI_DOCTOR_H
#define TG_CLI_DOCTOR_H

#include "cli/instance.h"

#include <jansson.h>

enum tg_finding { TG_FINDING_OK = 0, TG_FINDING_WARNING = 1, TG_FINDING_FAULT = 2 };

/* A configuration with all it includes; more is not looked at. */
#define TG_DOCTOR_CONF_BYTES_MAX (512u * 1024u)

struct tg_doctor {
    struct tg_instance instance;
    json_t *findings;
    int faults;
    int warnings;
    bool runs;        /* something of the instance runs */
    bool may_ask;     /* we may connect to the admin socket */
    bool guard_off;   /* nginx.conf says so */
    size_t conf_len;  /* 0: nginx.conf was not read, or refused */
    uint8_t conf[TG_DOCTOR_CONF_BYTES_MAX];
};

/* what: what was seen. remedy: what to do, NULL with TG_FINDING_OK. */
void tg_doctor_find(struct tg_doctor *doctor, enum tg_finding level, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* doctor_place.c: folders, owners, modes, disk, clock. */
void tg_doctor_place(struct tg_doctor *doctor);
/* doctor_paper.c: certificates, their keys, the revocation list. */
void tg_doctor_papers(struct tg_doctor *doctor);
/* doctor_conf.c: what nginx.conf says against what the instance is. */
void tg_doctor_conf(struct tg_doctor *doctor);
/* doctor_database.c: the server that keeps the record. */
void tg_doctor_database(struct tg_doctor *doctor);
/* doctor_guard.c: what protects the running processes. */
void tg_doctor_guards(struct tg_doctor *doctor);
/* doctor_setup.c: what the keeper lacks for payments to pass. */
void tg_doctor_setup(struct tg_doctor *doctor);

#endif
