/*
 * database.c - see database.h. Both forms of libpq's connection strings: "host=... dbname=..." and a URI.
 */
#include "cli/database.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/crypto.h"

/* libpq's own, as Debian builds it. */
#define DEFAULT_FOLDER "/var/run/postgresql"
#define DEFAULT_PORT "5432"

#define LINE_BYTES_MAX 2048 /* as the keeper takes it (keeper/connection.h) */
#define ASK_WAIT_S 2

/* Where the value of a name is kept; NULL: it is of no interest, or must not be seen. */
static char *place_of(struct tg_database *database, const char *name)
{
    const struct {
        const char *name;
        char *place;
    } places[] = {{"host", database->host},   {"hostaddr", database->address}, {"port", database->port},
                  {"dbname", database->name}, {"service", database->service}};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strcmp(name, places[i].name) == 0) {
            return places[i].place;
        }
    }
    return NULL;
}

/* Only what can stand in a name, a path, an address or a list of them. */
static bool value_keep(char *place, const char *value, size_t len)
{
    if (len >= TG_DATABASE_WORD_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] <= ' ' || (unsigned char)value[i] >= 0x7f) {
            return false;
        }
    }
    memcpy(place, value, len);
    place[len] = '\0';
    return true;
}

/* One value, quoted or not, with \ before any byte; *at stands behind it afterwards. */
static bool value_read(const char **at, char *ret, size_t ret_size)
{
    const char *from = *at;
    bool quoted = *from == '\'';
    size_t len = 0;

    from += quoted;
    while (*from != '\0' && (quoted ? *from != '\'' : strchr(" \t\r\n", *from) == NULL)) {
        from += *from == '\\' && from[1] != '\0';
        if (len + 1 >= ret_size) {
            return false;
        }
        ret[len++] = *from++;
    }
    ret[len] = '\0';
    if (quoted && *from != '\'') {
        return false;
    }
    *at = from + quoted;
    return true;
}

static bool pairs_read(const char *at, struct tg_database *ret)
{
    char value[LINE_BYTES_MAX];
    char name[64];
    bool good = true;

    at += strspn(at, " \t\r\n");
    while (good && *at != '\0') {
        size_t len = strcspn(at, "= \t\r\n");
        char *place;

        if (len == 0 || len >= sizeof(name)) {
            return false;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        at += len;
        at += strspn(at, " \t\r\n");
        if (*at != '=') {
            return false;
        }
        at++;
        at += strspn(at, " \t\r\n");
        good = value_read(&at, value, sizeof(value));
        place = place_of(ret, name);
        if (good && place != NULL) {
            good = value_keep(place, value, strlen(value));
        }
        tg_wipe(value, sizeof(value)); /* it may have been the password */
        at += strspn(at, " \t\r\n");
    }
    return good;
}

/* USER:PASSWORD@HOST:PORT/NAME?...: with a second @, or one behind the first /, ? or #, nobody knows what is what. */
static bool uri_read(const char *at, struct tg_database *ret)
{
    size_t len = strcspn(at, "/?#");
    const char *user = memchr(at, '@', len);
    const char *host = user == NULL ? at : user + 1;
    const char *end = at + len;
    const char *colon;

    if (strchr(host, '@') != NULL || strchr(at, '%') != NULL || *end == '#' || memchr(host, ',', (size_t)(end - host)) != NULL) {
        return false;
    }
    colon = *host == '[' ? memchr(host, ']', (size_t)(end - host)) : host;
    if (colon == NULL) {
        return false;
    }
    colon = memchr(colon, ':', (size_t)(end - colon));
    if (!value_keep(ret->host, host, (size_t)((colon == NULL ? end : colon) - host)) ||
        (colon != NULL && !value_keep(ret->port, colon + 1, (size_t)(end - colon - 1)))) {
        return false;
    }
    if (*end == '/') {
        end++;
        len = strcspn(end, "/?#");
        if (!value_keep(ret->name, end, len)) {
            return false;
        }
        end += len;
    }
    /* What stands behind may name the server anew. */
    return *end == '\0' || (*end == '?' && strstr(end, "host") == NULL && strstr(end, "port") == NULL &&
                            strstr(end, "dbname") == NULL && strstr(end, "service") == NULL);
}

static bool line_read(const char *line, struct tg_database *ret)
{
    static const char *const schemes[] = {"postgresql://", "postgres://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(line, schemes[i], strlen(schemes[i])) == 0) {
            return uri_read(line + strlen(schemes[i]), ret);
        }
    }
    return pairs_read(line, ret);
}

enum tg_err tg_database_parse(struct tg_span line, struct tg_database *ret)
{
    char text[LINE_BYTES_MAX];
    bool good;

    memset(ret, 0, sizeof(*ret));
    if (line.len == 0 || line.len >= sizeof(text)) {
        return TG_ERR_INPUT;
    }
    memcpy(text, line.ptr, line.len);
    text[line.len] = '\0';
    good = strlen(text) == line.len && line_read(text, ret);
    tg_wipe(text, sizeof(text));
    if (good && ret->port[strspn(ret->port, "0123456789,")] != '\0') {
        good = false;
    }
    if (!good) {
        memset(ret, 0, sizeof(*ret));
        return TG_ERR_INPUT;
    }
    if (ret->host[0] == '\0' && ret->service[0] == '\0') {
        (void)snprintf(ret->host, sizeof(ret->host), "%s", ret->address[0] == '\0' ? DEFAULT_FOLDER : ret->address);
    }
    if (ret->port[0] == '\0' && ret->service[0] == '\0') {
        (void)snprintf(ret->port, sizeof(ret->port), "%s", DEFAULT_PORT);
    }
    return TG_OK;
}

void tg_database_say(const struct tg_database *database, char *ret, size_t ret_size)
{
    if (database->service[0] != '\0') {
        (void)snprintf(ret, ret_size, "service %s of pg_service.conf", database->service);
        return;
    }
    (void)snprintf(ret, ret_size, "%s%s, port %s%s%s", database->host[0] == '/' ? "socket in " : "", database->host,
                   database->port, database->name[0] == '\0' ? "" : ", database ", database->name);
}

bool tg_database_can_ask(const struct tg_database *database)
{
    return database->service[0] == '\0' && strchr(database->host, ',') == NULL &&
           strchr(database->address, ',') == NULL && strchr(database->port, ',') == NULL;
}

static bool connects(int family, const struct sockaddr *address, socklen_t size)
{
    const struct timeval wait = {ASK_WAIT_S, 0};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers;

    if (fd < 0) {
        return false;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)); /* bounds connect() too */
    answers = connect(fd, address, size) == 0;
    (void)close(fd);
    return answers;
}

static bool socket_connects(const struct tg_database *database)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%s", database->host, database->port);

    return len > 0 && (size_t)len < sizeof(address.sun_path) &&
           connects(AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
}

bool tg_database_answers(const struct tg_database *database)
{
    const struct addrinfo wish = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const char *host = database->address[0] == '\0' ? database->host : database->address;
    struct addrinfo *found = NULL;
    bool answers = false;

    if (host[0] == '/') {
        return socket_connects(database);
    }
    if (getaddrinfo(host, database->port, &wish, &found) != 0) {
        return false;
    }
    for (const struct addrinfo *one = found; one != NULL && !answers; one = one->ai_next) {
        answers = connects(one->ai_family, one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(found);
    return answers;
}
