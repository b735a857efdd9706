/*
 * address.h - "127.0.0.1:9080" and "[::1]:9080" as socket addresses.
 *
 * Promises: numbers only; no name is ever looked up.
 */
#ifndef REFPAY_ADDRESS_H
#define REFPAY_ADDRESS_H

#include <sys/socket.h>

#include "base/err.h"
#include "base/span.h"

/* Port 0 is TG_ERR_INPUT. */
TG_MUST_CHECK enum tg_err tg_address_read(struct tg_span text, struct sockaddr_storage *ret);

/* 127.0.0.0/8 or ::1. */
bool tg_address_is_loopback(const struct sockaddr_storage *address);

#endif
