/*
 * nginx_conf.h - an instance's nginx.conf from the template that is built in.
 *
 * Promises: every @NAME@ of the template is replaced; an unknown one is TG_ERR_BUG; a value that
 * would need quoting never comes here (tg_instance_find and tg_address_parse refuse it).
 * Does not: read or write files.
 */
#ifndef TG_CLI_NGINX_CONF_H
#define TG_CLI_NGINX_CONF_H

#include "base/buf.h"
#include "base/err.h"

#define TG_NGINX_CONF_BYTES_MAX 32768

struct tg_nginx_conf {
    const char *dir;
    const char *module;        /* path of the .so */
    const char *user;          /* "" where nginx is not root */
    const char *listen;
    const char *status_listen;
    const char *upstream;
    const char *profile;       /* of the route "generic" */
    bool stripe;               /* the route "stripe" on its paths */
    unsigned workers;
    unsigned descriptors;      /* per worker */
    unsigned rate_per_s;       /* requests of one address */
};

TG_MUST_CHECK enum tg_err tg_nginx_conf_write(const struct tg_nginx_conf *wish, struct tg_buf *out);

#endif
