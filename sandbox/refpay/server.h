/*
 * server.h - connections, batches, and the faults that are about sockets.
 *
 * Promises: an answer leaves only after the commit of what it tells. All that
 * requests of one turn of the loop did is one transaction; the turn ends with its
 * commit and then with the answers (group commit, no added wait). Requests of one
 * connection are answered in order, one at a time (pipelining is safe).
 * At most TG_SERVER_CONNECTIONS_MAX connections; more are closed at once.
 */
#ifndef REFPAY_SERVER_H
#define REFPAY_SERVER_H

#include <sys/socket.h>
#include <uv.h>

#include "request.h"

#define TG_SERVER_CONNECTIONS_MAX 1000
#define TG_SERVER_IDLE_MS                                                                                              \
    600000 /* longer than nginx keeps an idle upstream connection, so that we never race its reuse */
#define TG_SERVER_REQUEST_MS 30000 /* from a request's first byte to its last */
#define TG_SERVER_LINGER_MS 1000   /* for the peer to read a last answer */
#define TG_SERVER_REFUSE_MS 1000   /* refuse_connect without a delay */

struct tg_connection;

struct tg_server {
    uv_loop_t *loop;
    struct tg_service *service;
    struct sockaddr_storage address;
    uv_tcp_t *listener; /* NULL while refusing */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t sweep;
    uv_timer_t relisten;
    struct tg_connection *connections;
    struct tg_connection *batch_first;
    struct tg_connection **batch_end;
    size_t count;
    int64_t requests;
};

/* Binds and listens. TG_ERR_DENIED: the address cannot be had. */
TG_MUST_CHECK enum tg_err tg_server_start(struct tg_server *ret, uv_loop_t *loop, struct tg_service *service,
                                          const struct sockaddr_storage *address);

/* Stops listening for that long and closes idle connections, so that the next request finds nobody. */
void tg_server_refuse(struct tg_server *server, uint64_t delay_ms);

/* Commits, answers what can be answered, closes everything. */
void tg_server_stop(struct tg_server *server);

#endif
