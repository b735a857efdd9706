/*
 * program.h - finding the programs of the house, starting them and asking how they ended.
 *
 * Promises: programs are looked for beside this one first, then where packages
 * put them; a child gets only the descriptors and words it is given, no
 * shell is ever between.
 * Does not: restart anything (supervisor.h does).
 */
#ifndef TG_CLI_PROGRAM_H
#define TG_CLI_PROGRAM_H

#include "cli/file.h"

#include <signal.h>
#include <sys/types.h>

#define TG_PROGRAM_WORDS_MAX 40

/* A command line under construction; words are borrowed. Too many set `over`. */
struct tg_program_line {
    char path[TG_PATH_BYTES_MAX];
    const char *words[TG_PROGRAM_WORDS_MAX + 1];
    size_t count;
    bool over;
};

/* The path of a program ("tollgate-keeper", "nginx") or file of the house; complains when it is not found. */
TG_MUST_CHECK enum tg_err tg_program_find(const char *name, char ret[TG_PATH_BYTES_MAX]);

/* The folder that holds data files ("profiles"): beside or above the program, or /usr/share/tollgate. */
TG_MUST_CHECK enum tg_err tg_data_find(const char *name, char ret[TG_PATH_BYTES_MAX]);

/* Begins a line with the program's path. */
TG_MUST_CHECK enum tg_err tg_program_begin(struct tg_program_line *line, const char *name);
void tg_program_word(struct tg_program_line *line, const char *word);
void tg_program_pair(struct tg_program_line *line, const char *option, const char *value);

/*
 * Starts it. output: a file that stdout and stderr go to (appended), or NULL to keep ours. user: name of the user
 * to become first, or NULL. It and what it starts get no new privileges. Returns the pid, or -1 (complained).
 */
pid_t tg_program_start(const struct tg_program_line *line, const char *output, const char *user);

/* Runs it to its end with its output in buf (bounded; the rest is dropped). Exit code, or -1. */
int tg_program_run(const struct tg_program_line *line, struct tg_buf *output);

/* Waits up to wait_ms for a child of ours to end; false when it is still there. */
bool tg_program_wait(pid_t pid, int wait_ms, int *status);

/*
 * From hold to release the signals that would end us wait, so that what we started can be stopped first; told says
 * whether one has come. One that is ignored (nohup) stays ignored. Released, it ends us as it would have.
 */
void tg_program_ends_hold(sigset_t *ret_before);
bool tg_program_ends_told(void);
void tg_program_ends_release(const sigset_t *before);

/* Milliseconds of the monotonic clock. */
int64_t tg_monotonic_ms(void);

void tg_sleep_ms(int wait_ms);

#endif
