/*
 * address.c - the reader behind address.h.
 *
 * Promises: see address.h.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "form.h"

enum tg_err tg_address_read(struct tg_span text, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    bool six = text.len > 0 && text.ptr[0] == '[';
    size_t end = tg_span_find(text, six ? ']' : ':');
    struct tg_span host = six ? tg_span_sub(text, 1, end - 1) : tg_span_sub(text, 0, end);
    struct tg_span rest = tg_span_sub(text, six ? end + 1 : end, text.len);
    char name[INET6_ADDRSTRLEN];
    int64_t port = 0;
    if (end == text.len || rest.len < 2 || rest.ptr[0] != ':' || host.len >= sizeof(name) ||
        tg_form_number(tg_span_sub(rest, 1, rest.len), UINT16_MAX, &port) != TG_OK || port == 0) {
        return TG_ERR_INPUT;
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *wide = (struct sockaddr_in6 *)ret;
    if (six) {
        wide->sin6_family = AF_INET6;
        wide->sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, name, &wide->sin6_addr) == 1 ? TG_OK : TG_ERR_INPUT;
    }
    four->sin_family = AF_INET;
    four->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, name, &four->sin_addr) == 1 ? TG_OK : TG_ERR_INPUT;
}

bool tg_address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr) != 0;
    }
    return address->ss_family == AF_INET &&
           (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
}
