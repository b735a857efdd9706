/*
 * load_options.c - the generator's command line.
 *
 * Promises: what is out of range is refused with the usage text, before anything is sent.
 * Does not: read secrets from the command line: tokens come from files.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static const char usage_text[] =
    "load --port N --ca FILE [--key-file FILE] [--host NAME] [--rate N | --closed] [--seconds N] [--warm N]\n"
    "     [--connections N] [--http2 [--streams N]] [--certificate FILE --certificate-key FILE] [--path PATH]\n"
    "     [--body JSON | --body-file FILE] [--field 'NAME: VALUE']... [--marks] [--label TEXT]\n"
    "Payments to 127.0.0.1, each with a fresh idempotency key: at a fixed rate, or --closed, each connection's next\n"
    "as soon as its answer came. --warm: seconds before the measured ones. --marks: lines `begin` and `end` around\n"
    "these. --key-file: sent as Authorization: Bearer. One JSON line at the end.\n";

static const char body_usual[] =
    "{\"amount\":1050,\"currency\":\"EUR\",\"payee\":{\"account\":\"shop-1\"},\"payer\":{\"id\":\"payer-77\"},"
    "\"instrument\":{\"token\":\"tok_load\"},\"reference\":\"load\"}";

static bool read_file(const char *path, char *to, size_t room, size_t *len)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    *len = fread(to, 1, room - 1, file);
    bool whole = feof(file) != 0;
    fclose(file);
    to[*len] = 0;
    return whole && *len > 0;
}

static bool read_token(const char *path)
{
    size_t len = 0;
    if (!read_file(path, load_options.token, sizeof(load_options.token), &len))
        return false;
    while (len && (load_options.token[len - 1] == '\n' || load_options.token[len - 1] == ' '))
        load_options.token[--len] = 0;
    return len > 0;
}

static bool take_body(const char *text)
{
    size_t len = strlen(text);
    if (len >= sizeof(load_options.body))
        return false;
    memcpy(load_options.body, text, len + 1);
    load_options.body_len = len;
    return true;
}

static bool take(int letter, const char *value, long *port)
{
    struct load_options *o = &load_options;
    switch (letter) {
    case 'p': *port = strtol(value, NULL, 10); return true;
    case 'a': o->ca = value; return true;
    case 'k': return read_token(value);
    case 'h': o->host = value; return true;
    case 'r': o->rate = (int)strtol(value, NULL, 10); return true;
    case 's': o->seconds = strtod(value, NULL); return true;
    case 'w': o->warm_seconds = strtod(value, NULL); return true;
    case 'c': o->connections = (int)strtol(value, NULL, 10); return true;
    case 'P': o->path = value; return true;
    case 'b': return take_body(value);
    case 'B': return read_file(value, o->body, sizeof(o->body), &o->body_len);
    case 'l': o->label = value; return true;
    case 'f':
        if (o->field_count == LOAD_FIELDS_MAX || !strstr(value, ": "))
            return false;
        o->fields[o->field_count++] = value;
        return true;
    case 'C': o->closed = true; return true;
    case '2': o->http2 = true; return true;
    case 'S': o->streams = (int)strtol(value, NULL, 10); return true;
    case 'e': o->certificate = value; return true;
    case 'E': o->certificate_key = value; return true;
    case 'm': o->marks = true; return true;
    default: return false;
    }
}

static bool sound(long port)
{
    const struct load_options *o = &load_options;
    return port > 0 && port < 65536 && o->ca && o->rate > 0 && o->rate <= 1000000 && o->seconds > 0 &&
           o->seconds <= 3600 && o->warm_seconds >= 0 && o->warm_seconds <= 3600 && o->connections > 0 &&
           o->connections <= LOAD_CONNECTIONS_MAX && o->streams > 0 && o->streams <= LOAD_STREAMS_MAX &&
           (o->http2 || o->streams == 1) && (o->certificate == NULL) == (o->certificate_key == NULL);
}

bool load_options_read(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, 0, 'p'}, {"ca", 1, 0, 'a'}, {"key-file", 1, 0, 'k'}, {"host", 1, 0, 'h'}, {"rate", 1, 0, 'r'},
        {"seconds", 1, 0, 's'}, {"warm", 1, 0, 'w'}, {"connections", 1, 0, 'c'}, {"path", 1, 0, 'P'},
        {"body", 1, 0, 'b'}, {"body-file", 1, 0, 'B'}, {"label", 1, 0, 'l'}, {"field", 1, 0, 'f'},
        {"closed", 0, 0, 'C'}, {"http2", 0, 0, '2'}, {"streams", 1, 0, 'S'}, {"certificate", 1, 0, 'e'},
        {"certificate-key", 1, 0, 'E'}, {"marks", 0, 0, 'm'}, {0, 0, 0, 0}};
    long port = 0;
    int letter;
    bool fine = take_body(body_usual);
    while (fine && (letter = getopt_long(argc, argv, "", known, NULL)) != -1)
        fine = take(letter, optarg, &port);
    if (!fine || optind != argc || !sound(port)) {
        fputs(usage_text, stderr);
        return false;
    }
    load_options.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return true;
}
