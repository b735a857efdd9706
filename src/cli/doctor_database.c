/*
 * doctor_database.c - the PostgreSQL server that keeps the record, by its name: whether it takes connections.
 *
 * Does not: log in, or say anything of the line in store/connection but where it leads.
 */
#include "cli/doctor.h"

#include "cli/database.h"
#include "crypto/crypto.h"

#define CONNECTION_BYTES_MAX 2048 /* as the keeper takes it (keeper/connection.h) */

void tg_doctor_database(struct tg_doctor *doctor)
{
    char line[CONNECTION_BYTES_MAX];
    char path[TG_PATH_BYTES_MAX];
    char said[4 * TG_DATABASE_WORD_BYTES_MAX];
    struct tg_database database;
    enum tg_err err;

    (void)tg_instance_path(&doctor->instance, "store/connection", path);
    if (!doctor->instance.postgres || !doctor->may_ask || !tg_file_exists(path) ||
        tg_file_read_line_itself(path, line, sizeof(line)) != TG_OK) {
        return; /* doctor_place.c has said so */
    }
    err = tg_database_parse(tg_span_string(line), &database);
    tg_wipe(line, sizeof(line));
    if (err != TG_OK) {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the database is the one that store/connection names");
        return;
    }
    tg_database_say(&database, said, sizeof(said));
    if (!tg_database_can_ask(&database)) {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the database: %s", said);
    } else if (tg_database_answers(&database)) {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the database takes connections: %s", said);
    } else {
        tg_doctor_find(doctor, TG_FINDING_FAULT,
                       "start PostgreSQL, or mend the way to it; runbook, \"The database is away\"",
                       "the database takes no connection, so every payment gets 503: %s", said);
    }
}
