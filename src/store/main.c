/*
 * main.c - tollgate-store: brings a store's schema forward, moves a store from a folder to a server, compares both.
 *
 *     tollgate-store migrate --folder DIR | --connection-file FILE
 *     tollgate-store copy    --folder DIR --connection-file FILE
 *     tollgate-store verify  --folder DIR --connection-file FILE
 *
 * Promises: prints what it counts; ends with 0 when it is done and, for verify, both are equal. No keeper may have the
 * folder open. A folder that was copied is marked, and no keeper starts from it again. Does not: remove the folder, or
 * change which store a keeper uses.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "store/move.h"

#define CONNECTION_BYTES_MAX 2048
#define PATH_BYTES_MAX 4096

struct wish {
    const char *command, *folder, *file;
    char connection[CONNECTION_BYTES_MAX];
    struct tg_store *from, *to;
    int64_t now_us;
};

static void say(void *user, const char *text)
{
    (void)user;
    (void)fprintf(stderr, "tollgate-store: %s\n", text);
}

/* What is done with what is counted; for progress. */
static char copied[] = "copied", read_here[] = "read in the folder", read_there[] = "read on the server";

static void progress(void *user, const char *what, uint64_t count)
{
    (void)printf("%" PRIu64 " %s %s\n", count, what, (const char *)user);
    (void)fflush(stdout);
}

static bool is_word(const char *word, const char *name)
{
    return tg_span_equal(tg_span_string(word), tg_span_string(name));
}

static int usage(void)
{
    (void)fputs("usage: tollgate-store migrate --folder DIR | --connection-file FILE\n"
                "       tollgate-store copy    --folder DIR --connection-file FILE\n"
                "       tollgate-store verify  --folder DIR --connection-file FILE\n"
                "FILE holds one line of libpq's settings and may be read by its owner only.\n",
                stderr);
    return 2;
}

static bool read_wish(int argc, char *const argv[], struct wish *wish)
{
    if (argc < 2 || (!is_word(argv[1], "migrate") && !is_word(argv[1], "copy") && !is_word(argv[1], "verify")))
        return false;
    wish->command = argv[1];
    for (int i = 2; i < argc; i += 2) {
        const char **place = is_word(argv[i], "--folder")            ? &wish->folder
                             : is_word(argv[i], "--connection-file") ? &wish->file
                                                                     : NULL;
        if (place == NULL || *place != NULL || i + 1 == argc)
            return false;
        *place = argv[i + 1];
    }
    if (is_word(wish->command, "migrate"))
        return (wish->folder == NULL) != (wish->file == NULL);
    return wish->folder != NULL && wish->file != NULL;
}

static bool read_connection(struct wish *wish)
{
    struct stat status;
    int fd = open(wish->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got = -1;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) == 0)
        got = read(fd, wish->connection, sizeof(wish->connection) - 1);
    if (fd >= 0)
        (void)close(fd);
    if (got <= 0) {
        say(NULL, "the file with the connection is not there, empty, or may be read by others (chmod 600)");
        return false;
    }
    wish->connection[strcspn(wish->connection, "\n")] = '\0';
    return true;
}

static bool open_stores(struct wish *wish)
{
    enum tg_err err = TG_OK;
    if (wish->folder != NULL) {
        const struct tg_store_options options = {.path = wish->folder, .moved_too = wish->file != NULL, .log = say};
        err = tg_store_open(&options, wish->now_us, &wish->from);
    }
    if (err == TG_OK && wish->file != NULL) {
        const struct tg_store_options options = {.connection = wish->connection, .log = say};
        err = tg_store_open(&options, wish->now_us, &wish->to);
    }
    if (err != TG_OK)
        say(NULL, err == TG_ERR_DENIED ? "a store refuses this program: see above" : "a store cannot be opened");
    return err == TG_OK;
}

/* Before the copy: an end in between leaves a folder that is not served from, and never two that are. */
static enum tg_err make_mark(const char *folder, char *ret, size_t ret_size, bool *ret_made)
{
    int len = snprintf(ret, ret_size, "%s/" TG_MOVE_MARK, folder);
    if (len <= 0 || (size_t)len >= ret_size)
        return TG_ERR_LIMIT;
    int fd = open(ret, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    *ret_made = fd >= 0;
    if (fd < 0)
        return errno == EEXIST ? TG_OK : TG_ERR_DOWN;
    int bad = fsync(fd);
    (void)close(fd);
    int above = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bad = bad != 0 || above < 0 || fsync(above) != 0;
    if (above >= 0)
        (void)close(above);
    return bad ? TG_ERR_DOWN : TG_OK;
}

static int copy(struct wish *wish)
{
    char mark[PATH_BYTES_MAX];
    bool made = false;
    enum tg_err err = make_mark(wish->folder, mark, sizeof(mark), &made);
    if (err != TG_OK) {
        say(NULL, "the folder could not be marked as moved, and nothing was copied");
        return 1;
    }
    err = tg_move_copy(wish->from, wish->to, wish->now_us, progress, copied);
    if (err == TG_ERR_DENIED)
        say(NULL, "the database holds something already: a copy needs an empty one");
    else if (err != TG_OK)
        say(NULL, "the copy broke off: unless verify finds both equal nothing of it is there, and the folder's file \""
                  TG_MOVE_MARK "\" is to be removed before the folder is used");
    if (err == TG_ERR_DENIED && made)
        (void)unlink(mark);
    return err == TG_OK ? 0 : 1;
}

static int verify(struct wish *wish)
{
    struct tg_move_sum here, there;
    bool equal = true;
    if (tg_move_sum_folder(wish->from, wish->now_us, &here, progress, read_here) != TG_OK ||
        tg_move_sum_server(wish->to, wish->now_us, &there, progress, read_there) != TG_OK) {
        say(NULL, "a store could not be read to its end");
        return 1;
    }
    for (int i = 0; i < TG_MOVE_KINDS; i++) {
        enum tg_move_kind kind = (enum tg_move_kind)i;
        bool same = tg_move_sum_equal(&here, &there, kind);
        equal = equal && same;
        (void)printf("%s: %" PRIu64 " in the folder, %" PRIu64 " on the server, %s\n", tg_move_kind_name(kind),
                     here.counts[kind], there.counts[kind], same ? "equal" : "DIFFERENT");
    }
    return equal ? 0 : 1;
}

int main(int argc, char *argv[])
{
    struct wish wish = {0};
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    wish.now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (!read_wish(argc, argv, &wish))
        return usage();
    int status = 1;
    if ((wish.file == NULL || read_connection(&wish)) && open_stores(&wish)) {
        if (is_word(wish.command, "copy"))
            status = copy(&wish);
        else
            status = is_word(wish.command, "verify") ? verify(&wish) : 0;
        if (status == 0)
            (void)printf("%s: done\n", wish.command);
    }
    tg_store_close(wish.from);
    tg_store_close(wish.to);
    tg_wipe(wish.connection, sizeof(wish.connection));
    return status;
}
