/*
 * main.c - tollgate-keeper: the daemon that remembers.
 *
 * Promises: 0 after a clean end, 1 when it could not start, 2 for a wrong command line, 3 when the store failed.
 * Does not: anything but to read the command line and serve.
 */
#include <malloc.h>
#include <stdio.h>

#include "base/span.h"
#include "keeper/options.h"
#include "keeper/server.h"

#include "base/banned.h"

/*
 * One heap for all threads: the table of claims is made by the start and outgrown by the committer, whose own heap
 * would leave what the start took unused for good. The threads meet there seldom. And what is large comes from the
 * system and goes back to it: left to itself, malloc would keep as much as the largest file of keys that it ever read.
 */
#define HEAPS 1
#define MAPPED_BYTES (128 * 1024)

int main(int argc, char *argv[])
{
    if (argc == 2 && tg_span_equal(tg_span_string(argv[1]), TG_SPAN("--help"))) {
        fputs(tg_options_help(), stdout);
        return 0;
    }
    struct tg_keeper_options options;
    if (tg_options_read(argc, argv, &options) != TG_OK) {
        return 2;
    }
    (void)mallopt(M_ARENA_MAX, HEAPS);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, MAPPED_BYTES);
    return tg_server_run(&options);
}
