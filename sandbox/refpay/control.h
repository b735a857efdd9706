/*
 * control.h - the socket by which an operator arms faults and reads the book.
 *
 * Promises: a unix socket of mode 0600; another uid than ours, that of who started us or root is closed on at
 * once. One JSON object a line in, one a line out:
 * {"command":"ledger","after":N} {"command":"payments","before":N}
 * {"command":"fault","kind":K,"count":N,"delay_ms":N,"operation":O} {"command":"faults"} {"command":"clear"}
 * answered by {"ok":true,"result":...} or {"ok":false,"error":...}. What is shown is committed first.
 * Long books come in pages: result.next is what to ask for, 0 at the end.
 */
#ifndef REFPAY_CONTROL_H
#define REFPAY_CONTROL_H

#include <uv.h>

#include "server.h"
#include "webhook.h"

#define TG_CONTROL_LINE_BYTES_MAX 4096
#define TG_CONTROL_PAGE 1000 /* postings or payments a page: under a megabyte */
#define TG_CONTROL_CONNECTIONS_MAX 16

struct tg_control {
    uv_loop_t *loop;
    struct tg_server *server;
    struct tg_webhook *webhook; /* NULL: none */
    uid_t starter;
    uv_pipe_t listener;
    struct tg_control_peer *peers;
    size_t count;
};

/* fd: a listening socket. starter: the uid that started us, before any drop. */
TG_MUST_CHECK enum tg_err tg_control_start(struct tg_control *ret, uv_loop_t *loop, int fd, uid_t starter,
                                           struct tg_server *server, struct tg_webhook *webhook);
void tg_control_stop(struct tg_control *control);

#endif
