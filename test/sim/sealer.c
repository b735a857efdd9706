/*
 * sealer.c - a sealer that does what wire/seal.h says, with digests in the place of ciphers.
 *
 * Promises: a MAC depends on key and input alone; what is sealed opens under its own key and associated data only;
 * a segment's key is there from its making to its destruction, whatever dies.
 * Does not: keep a secret.
 */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "crypto/crypto.h"
#include "host.h"
#include "world.h"

#define SEGMENTS_MAX 65536
#define MASK 0x5a
#define NONCE_BYTES 12
#define TAG_BYTES 16

struct message {
    size_t len;
    uint8_t bytes[];
};

static bool alive;
static uint64_t connection, timer, process; /* what is planned for an older one is not done */
static int64_t slow_until_us;
static uint8_t segments[SEGMENTS_MAX]; /* 0: none, 1: made, 2: destroyed */
static uint64_t nonce;

static bool has_key(uint32_t key)
{
    return key < TG_SEAL_KEY_SEGMENT ||
           (key - TG_SEAL_KEY_SEGMENT < SEGMENTS_MAX && segments[key - TG_SEAL_KEY_SEGMENT] == 1);
}

static void digest(uint32_t key, struct tg_span aad, struct tg_span input, uint8_t ret[TG_DIGEST_BYTES])
{
    uint8_t name[8];
    tg_be32_write(name, key);
    tg_be32_write(name + 4, (uint32_t)aad.len);
    const struct tg_span parts[] = {tg_span(name, sizeof(name)), aad, input};
    if (tg_sha256_parts(parts, 3, ret) != TG_OK) {
        abort();
    }
}

struct tg_span sealer_seal(uint32_t key, struct tg_span aad, struct tg_span plain, struct tg_buf *out)
{
    uint8_t tag[TG_DIGEST_BYTES];
    uint8_t number[NONCE_BYTES] = {0};
    size_t from = out->len;
    tg_be64_write(number, ++nonce);
    digest(key, aad, plain, tag);
    tg_buf_put(out, tg_span(number, sizeof(number)));
    for (size_t i = 0; i < plain.len; i++) {
        tg_buf_put_u8(out, plain.ptr[i] ^ MASK);
    }
    tg_buf_put(out, tg_span(tag, TAG_BYTES));
    return tg_span(out->ptr + from, out->len - from);
}

static uint8_t open_sealed(const struct tg_seal_work *work, struct tg_buf *out)
{
    if (work->input.len < NONCE_BYTES + TAG_BYTES) {
        return TG_SEAL_BAD;
    }
    size_t len = work->input.len - NONCE_BYTES - TAG_BYTES;
    for (size_t i = 0; i < len; i++) {
        tg_buf_put_u8(out, work->input.ptr[NONCE_BYTES + i] ^ MASK);
    }
    uint8_t tag[TG_DIGEST_BYTES];
    digest(work->key, work->aad, tg_buf_span(out), tag);
    return memcmp(tag, work->input.ptr + NONCE_BYTES + len, TAG_BYTES) == 0 ? TG_SEAL_DONE : TG_SEAL_BAD;
}

static uint8_t do_work(const struct tg_seal_work *work, struct tg_buf *out)
{
    uint8_t mac[TG_DIGEST_BYTES];
    if (work->operation == TG_SEAL_KEY_MAKE || work->operation == TG_SEAL_KEY_DESTROY) {
        uint32_t segment = work->key - TG_SEAL_KEY_SEGMENT;
        if (segment >= SEGMENTS_MAX) {
            return TG_SEAL_NO_KEY;
        }
        segments[segment] = work->operation == TG_SEAL_KEY_MAKE ? 1 : 2;
        return TG_SEAL_DONE;
    }
    if (work->operation == TG_SEAL_GUARD) {
        return TG_SEAL_DONE;
    }
    if (!has_key(work->key)) {
        if (work->operation == TG_SEAL_SEAL) {
            world_broken("an answer is to be sealed under the key of segment %u, which is %s",
                         work->key - TG_SEAL_KEY_SEGMENT,
                         segments[work->key - TG_SEAL_KEY_SEGMENT] == 0 ? "not made" : "destroyed");
        }
        return TG_SEAL_NO_KEY;
    }
    switch (work->operation) {
    case TG_SEAL_MAC:
    case TG_SEAL_PUBLIC:
        digest(work->key, tg_span(NULL, 0), work->input, mac);
        tg_buf_put(out, tg_span(mac, sizeof(mac)));
        return TG_SEAL_DONE;
    case TG_SEAL_SEAL:
        sealer_seal(work->key, work->aad, work->input, out);
        return TG_SEAL_DONE;
    case TG_SEAL_OPEN:
        return open_sealed(work, out);
    default:
        return TG_SEAL_BAD;
    }
}

static struct message *message_of(struct tg_span bytes)
{
    struct message *message = malloc(sizeof(*message) + bytes.len);
    if (message == NULL) {
        abort();
    }
    message->len = bytes.len;
    memcpy(message->bytes, bytes.ptr, bytes.len);
    return message;
}

static void deliver(void *who, uint64_t what)
{
    struct message *message = who;
    if (what == connection && host_keeper != NULL) {
        size_t room = 0;
        uint8_t *to = tg_sealer_room_in(&host_keeper->sealer, &room);
        if (message->len > room) {
            world_broken("the sealer's answer does not fit");
        }
        memcpy(to, message->bytes, message->len);
        tg_sealer_received(&host_keeper->sealer, message->len);
    }
    free(message);
    host_turn();
}

static void answer(void *who, uint64_t what)
{
    static uint8_t room[TG_FRAME_HEADER_BYTES + TG_FRAME_BODY_BYTES_MAX];
    static uint8_t one[TG_FRAME_BODY_BYTES_MAX];
    struct message *message = who;
    if (what != connection || !alive) {
        free(message);
        return;
    }
    struct tg_buf out = tg_buf(room, sizeof(room));
    struct tg_frame frame;
    size_t used = 0;
    uint16_t count = 0;
    if (tg_frame_read(TG_ROLE_KEEPER, tg_span(message->bytes, message->len), &frame, &used) != TG_OK ||
        used != message->len || frame.type != TG_FRAME_SEAL) {
        world_broken("the sealer was sent what is no frame");
    }
    struct tg_cursor cursor = tg_cursor(frame.body);
    struct tg_seal_writer writer;
    tg_seal_begin(&writer, &out, TG_FRAME_SEAL_ANSWER, frame.slot, frame.turn);
    if (tg_seal_read_count(&cursor, &count) != TG_OK) {
        world_broken("the sealer was sent no count");
    }
    for (uint16_t i = 0; i < count; i++) {
        struct tg_seal_work work;
        struct tg_buf output = tg_buf(one, sizeof(one));
        if (tg_seal_read_work(&cursor, &work) != TG_OK) {
            world_broken("the sealer was sent a broken work");
        }
        uint8_t status = do_work(&work, &output);
        tg_seal_add_result(&writer, status, status == TG_SEAL_DONE ? tg_buf_span(&output) : tg_span(NULL, 0));
    }
    tg_seal_end(&writer);
    free(message);
    world_plan(world_between(20, 200), deliver, message_of(tg_buf_span(&out)), connection);
}

/* ---- the port ---- */

static void connected(void *who, uint64_t what)
{
    (void)who;
    if (what == connection && host_keeper != NULL) {
        if (alive) {
            tg_sealer_connected(&host_keeper->sealer, true);
        } else {
            tg_sealer_connected(&host_keeper->sealer, false);
        }
        host_turn();
    }
}

static bool port_connect(struct tg_sealer_link *sealer)
{
    (void)sealer;
    world_plan(world_between(20, 300), connected, NULL, ++connection);
    return true;
}

static void port_close(struct tg_sealer_link *sealer)
{
    (void)sealer;
    connection++;
}

static uint64_t written_connection;

static void written(void *who, uint64_t what)
{
    (void)who;
    if (what == process && host_keeper != NULL) {
        bool here = written_connection == connection;
        tg_sealer_written(&host_keeper->sealer, here, here);
        host_turn();
    }
}

/* At once, or later where the socket was full. */
static enum tg_sealer_sent port_send(struct tg_sealer_link *sealer, struct tg_span bytes)
{
    (void)sealer;
    int64_t wait_us = world.now_us < slow_until_us ? world_between(100 * MS, 7 * SECOND) : world_between(50, 500);
    world_plan(wait_us, answer, message_of(bytes), connection);
    if (world_happens(750000)) {
        return TG_SEALER_SENT;
    }
    written_connection = connection;
    world_plan(world_between(1, 40), written, NULL, process);
    return TG_SEALER_SENDING;
}

static void timeout(void *who, uint64_t what)
{
    (void)who;
    if (what == timer && host_keeper != NULL) {
        tg_sealer_timeout(&host_keeper->sealer);
        host_turn();
    }
}

static void port_timer(struct tg_sealer_link *sealer, uint64_t wait_ms)
{
    (void)sealer;
    timer++;
    if (wait_ms > 0) {
        world_plan((int64_t)wait_ms * MS, timeout, NULL, timer);
    }
}

static uid_t port_peer(const struct tg_sealer_link *sealer)
{
    (void)sealer;
    return 0;
}

const struct tg_sealer_port sealer_port = {port_connect, port_close, port_send, port_timer, port_peer};

/* ---- life ---- */

void sealer_begin(void)
{
    alive = true;
}

static void come_back(void *who, uint64_t what)
{
    (void)who;
    (void)what;
    alive = true;
}

void sealer_die(void)
{
    if (!alive) {
        return;
    }
    alive = false;
    world_plan(world_between(1 * MS, 400 * MS), come_back, NULL, 0);
    if (host_keeper != NULL && host_keeper->sealer.open) {
        tg_sealer_gone(&host_keeper->sealer, "closed");
        host_turn();
    }
}

void sealer_slow(int64_t until_us)
{
    slow_until_us = until_us;
}

void sealer_forget(void)
{
    connection++;
    timer++;
    process++;
}
