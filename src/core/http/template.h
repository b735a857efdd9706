/*
 * template.h - path templates of operations: "/v1/payments/{id}/capture".
 *
 * Promises: a literal segment matches byte for byte; {name} matches one
 * non-empty segment; what two servers could read as two different paths
 * matches nothing.
 * Does not: decode paths, or look at a query.
 */
#ifndef TG_CORE_HTTP_TEMPLATE_H
#define TG_CORE_HTTP_TEMPLATE_H

#include "base/span.h"

/* A template that tg_template_matches can use: begins with '/', no empty segment, {x} only as a whole segment. */
bool tg_template_ok(struct tg_span path_template);

/*
 * True when path is safe: begins with '/', pchar bytes and '/' only (RFC 3986 3.3), no empty, "." or ".." segment, no
 * ';', and no percent escape of a control, '/', '\', ';' or '%', which upstreams decode at different times, nor of
 * what needs none (RFC 3986 2.3) or is no UTF-8: a text that we match is the text that an upstream decodes.
 */
bool tg_path_ok(struct tg_span path);

/*
 * True when a query (what stands behind the '?') is one: pchar, '/', '?' and whole percent escapes (RFC 3986 3.4), and
 * '[' and ']', which clients send as they are in names like "expand[]".
 */
bool tg_query_ok(struct tg_span query);

/* True when a path that is safe fits the template. */
bool tg_template_matches(struct tg_span path_template, struct tg_span path);

/*
 * Which of two templates that fit one path says more: < 0 when a does (a literal at the first segment where they
 * differ), > 0 when b does, 0 when they are the same but for the names in braces.
 */
int tg_template_compare(struct tg_span a, struct tg_span b);

#endif
