/*
 * err.h - the one error type of the house.
 *
 * Promises: zero is success, every other value names a kind of failure that a
 * caller can act on. A verdict ("refused by policy") is an answer and has a
 * type of its own (core/policy/reason.h); it never travels as an error.
 * Does not: carry texts for callers of the gate.
 */
#ifndef TG_BASE_ERR_H
#define TG_BASE_ERR_H

/* Every function that returns tg_err is marked: an ignored error is a bug. */
#define TG_MUST_CHECK __attribute__((warn_unused_result))

enum tg_err {
    TG_OK = 0,
    TG_ERR_INPUT = -1,   /* bytes that break the grammar they claim to follow */
    TG_ERR_LIMIT = -2,   /* over a named limit of limits.h or of the caller */
    TG_ERR_ROOM = -3,    /* the caller's buffer or arena is full */
    TG_ERR_DENIED = -4,  /* the peer or the kernel says no */
    TG_ERR_DOWN = -5,    /* a peer, a disk or a store cannot be used now */
    TG_ERR_CORRUPT = -6, /* durable state fails its own checks */
    TG_ERR_ABSENT = -7,  /* the thing asked for does not exist */
    TG_ERR_BUG = -8      /* a broken promise of our own: closed, counted */
};

/* A short stable English word for logs, e.g. "limit". Static storage. */
const char *tg_err_name(enum tg_err err);

#endif
