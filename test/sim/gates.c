/*
 * gates.c - see gates.h: links and slots.
 *
 * Promises: bytes of one direction arrive in order, in pieces that chance cuts.
 */
#include "gates.h"

#include <stdlib.h>
#include <string.h>

#include "callers.h"
#include "host.h"
#include "table.h"
#include "world.h"

#define GATES 6
#define SLOTS 48
#define INPUT_BYTES 65536
#define ADMIT_WAIT_US (1 * SECOND)
#define SETTLE_WAIT_US (5 * SECOND)
#define CLOSINGS_MAX 64

struct sim_link {
    struct tg_link link; /* first: the link frees both */
    uint32_t gate;
};

struct slot {
    bool used, asked;
    uint8_t type;
    uint32_t turn, request;
    uint64_t number; /* of this use: what is planned for another is not done */
    int64_t deadline_us;
    uint8_t outcome;
};

struct gate {
    struct sim_link *link; /* NULL: none */
    uint64_t connection;
    int64_t to_keeper_us, from_keeper_us; /* when the last bytes arrive */
    uint32_t turn;
    size_t in_len;
    struct slot slots[SLOTS];
    uint8_t in[INPUT_BYTES];
};

struct message {
    uint32_t gate;
    size_t len;
    uint8_t bytes[];
};

static struct gate gates[GATES];
static struct tg_link *closings[CLOSINGS_MAX];
static size_t closing_count;
static uint64_t slot_number;

static void connect_gate(void *who, uint64_t what);

static struct message *message_of(uint32_t gate, struct tg_span bytes)
{
    struct message *message = malloc(sizeof(*message) + bytes.len);
    if (message == NULL) {
        abort();
    }
    message->gate = gate;
    message->len = bytes.len;
    memcpy(message->bytes, bytes.ptr, bytes.len);
    return message;
}

/* ---- to the keeper ---- */

static void arrive(void *who, uint64_t what)
{
    struct message *message = who;
    struct gate *gate = &gates[message->gate];
    if (what == gate->connection && gate->link != NULL && !gate->link->link.closing && !gate->link->link.paused) {
        size_t done = 0;
        while (done < message->len && !gate->link->link.closing) {
            size_t room = 0;
            uint8_t *to = tg_link_room_in(&gate->link->link, &room);
            size_t some = message->len - done < room ? message->len - done : room;
            memcpy(to, message->bytes + done, some);
            tg_link_received(&gate->link->link, some);
            done += some;
        }
        host_turn();
    }
    free(message);
}

static void send_bytes(uint32_t number, struct tg_span bytes)
{
    struct gate *gate = &gates[number];
    size_t cut = world_happens(200000) ? world_below(bytes.len + 1) : bytes.len;
    const struct tg_span parts[] = {tg_span_sub(bytes, 0, cut), tg_span_sub(bytes, cut, bytes.len)};
    for (size_t i = 0; i < 2; i++) {
        int64_t at_us = world.now_us + world_between(5, 80);
        gate->to_keeper_us = at_us > gate->to_keeper_us ? at_us : gate->to_keeper_us;
        if (parts[i].len > 0) {
            world_plan(gate->to_keeper_us - world.now_us, arrive, message_of(number, parts[i]), gate->connection);
        }
    }
}

static void send_question(uint32_t number, uint16_t at)
{
    static uint8_t room[65536];
    struct gate *gate = &gates[number];
    struct slot *slot = &gate->slots[at];
    struct tg_buf out = tg_buf(room, sizeof(room));
    if (gate->link == NULL) {
        return; /* it is asked when there is a link again */
    }
    slot->turn = ++gate->turn;
    if (slot->type == TG_FRAME_ADMIT) {
        struct tg_admit admit;
        caller_admit(slot->request, &admit);
        tg_admit_write(&out, at, slot->turn, &admit);
    } else {
        struct tg_settle settle;
        caller_settle(slot->request, slot->outcome, &settle);
        tg_settle_write(&out, at, slot->turn, &settle);
    }
    if (tg_buf_done(&out) != TG_OK) {
        world_broken("a question does not fit");
    }
    send_bytes(number, tg_buf_span(&out));
}

/* ---- slots ---- */

static void late(void *who, uint64_t what)
{
    struct slot *slot = who;
    if (!slot->used || slot->number != what || !slot->asked || slot->deadline_us > world.now_us) {
        return;
    }
    uint32_t request = slot->request;
    if (slot->type == TG_FRAME_ADMIT) {
        /* It may have been claimed: the keeper is told that nothing was sent. */
        slot->type = TG_FRAME_SETTLE;
        slot->outcome = TG_OUTCOME_NOT_SENT;
        slot->deadline_us = world.now_us + SETTLE_WAIT_US;
        uint32_t number = 0;
        while (slot < gates[number].slots || slot >= gates[number].slots + SLOTS) {
            number++;
        }
        send_question(number, (uint16_t)(slot - gates[number].slots));
        world_plan(SETTLE_WAIT_US, late, slot, slot->number);
    } else {
        slot->used = false;
    }
    caller_late(request);
}

static void ask(uint32_t number, uint16_t at, int64_t wait_us)
{
    struct slot *slot = &gates[number].slots[at];
    slot->asked = true;
    slot->deadline_us = world.now_us + wait_us;
    world_plan(wait_us, late, slot, slot->number);
    send_question(number, at);
}

bool gate_admit(uint32_t request, uint32_t *ret_gate, uint16_t *ret_slot, uint64_t *ret_use)
{
    uint32_t number = (uint32_t)world_below(GATES);
    for (uint16_t at = 0; at < SLOTS; at++) {
        struct slot *slot = &gates[number].slots[at];
        if (!slot->used) {
            *slot = (struct slot){.used = true, .type = TG_FRAME_ADMIT, .request = request, .number = ++slot_number};
            *ret_gate = number;
            *ret_slot = at;
            *ret_use = slot->number;
            ask(number, at, ADMIT_WAIT_US);
            return true;
        }
    }
    return false;
}

bool gate_settle(uint32_t number, uint16_t at, uint64_t use, uint8_t outcome)
{
    struct slot *slot = &gates[number].slots[at];
    if (!slot->used || slot->number != use) {
        return false; /* its worker died meanwhile */
    }
    slot->type = TG_FRAME_SETTLE;
    slot->outcome = outcome;
    ask(number, at, SETTLE_WAIT_US);
    return true;
}

/* ---- from the keeper ---- */

static void take_answer(uint32_t number, const struct tg_frame *frame)
{
    struct gate *gate = &gates[number];
    if (frame->type == TG_FRAME_HELLO_ANSWER || frame->type == TG_FRAME_FLUSH) {
        return;
    }
    struct slot *slot = frame->slot < SLOTS ? &gate->slots[frame->slot] : NULL;
    if (slot == NULL) {
        world_broken("an answer for a slot that is none");
    }
    uint8_t wanted = slot->type == TG_FRAME_ADMIT ? TG_FRAME_ADMIT_ANSWER : TG_FRAME_SETTLE_ANSWER;
    if (!slot->used || !slot->asked || slot->turn != frame->turn || frame->type != wanted) {
        return; /* late: its question was given up */
    }
    uint32_t request = slot->request;
    slot->asked = false;
    if (frame->type == TG_FRAME_ADMIT_ANSWER) {
        struct tg_admit_answer answer;
        if (tg_admit_answer_read(frame->body, &answer) != TG_OK) {
            world_broken("an answer that no gate can read");
        }
        slot->used = answer.verdict == TG_VERDICT_ALLOW;
        caller_admitted(request, &answer);
    } else {
        struct tg_settle_answer answer;
        if (tg_settle_answer_read(frame->body, &answer) != TG_OK) {
            world_broken("an answer that no gate can read");
        }
        slot->used = false;
        caller_settled(request, slot->outcome, answer.reason == TG_REASON_OK);
    }
}

static void hear(void *who, uint64_t what)
{
    struct message *message = who;
    struct gate *gate = &gates[message->gate];
    uint32_t number = message->gate;
    if (what != gate->connection) {
        free(message);
        return;
    }
    if (gate->in_len + message->len > sizeof(gate->in)) {
        world_broken("a gate's input is full");
    }
    memcpy(gate->in + gate->in_len, message->bytes, message->len);
    gate->in_len += message->len;
    free(message);
    size_t at = 0;
    struct tg_frame frame;
    size_t used = 0;
    enum tg_err err;
    while ((err = tg_frame_read(TG_ROLE_KEEPER, tg_span(gate->in + at, gate->in_len - at), &frame, &used)) == TG_OK) {
        take_answer(number, &frame);
        at += used;
    }
    if (err != TG_ERR_ROOM) {
        world_broken("the keeper wrote what is no frame");
    }
    memmove(gate->in, gate->in + at, gate->in_len - at);
    gate->in_len -= at;
}

/* ---- the port ---- */

static void port_close(struct tg_link *link)
{
    if (closing_count == CLOSINGS_MAX) {
        abort();
    }
    closings[closing_count++] = link;
}

static bool port_listen(struct tg_link *link, bool on)
{
    (void)link;
    (void)on;
    return true;
}

static void written(void *who, uint64_t what)
{
    struct gate *gate = who;
    if (what == gate->connection && gate->link != NULL && !gate->link->link.closing) {
        tg_link_written(&gate->link->link, true);
        host_turn();
    }
}

static enum tg_link_sent port_send(struct tg_link *link, struct tg_span bytes)
{
    uint32_t number = ((struct sim_link *)(void *)link)->gate;
    struct gate *gate = &gates[number];
    int64_t at_us = world.now_us + world_between(5, 80);
    gate->from_keeper_us = at_us > gate->from_keeper_us ? at_us : gate->from_keeper_us;
    world_plan(gate->from_keeper_us - world.now_us, hear, message_of(number, bytes), gate->connection);
    if (world_happens(50000)) {
        world_plan(world_between(10, 2000), written, gate, gate->connection);
        return TG_LINK_SENDING;
    }
    return TG_LINK_SENT;
}

static const struct tg_link_port port = {port_close, port_listen, port_send};

/* ---- connections ---- */

static void disconnected(uint32_t number)
{
    struct gate *gate = &gates[number];
    gate->link = NULL;
    gate->connection++;
    gate->in_len = 0;
    world_plan(world_between(2 * MS, 30 * MS), connect_gate, NULL, number);
}

static void connect_gate(void *who, uint64_t what)
{
    static uint8_t room[TG_SMALL_FRAME_BYTES_MAX];
    (void)who;
    struct gate *gate = &gates[what];
    if (gate->link != NULL) {
        return;
    }
    struct tg_link *link =
        host_keeper == NULL ? NULL : tg_link_make(host_keeper, sizeof(struct sim_link), TG_ROLE_GATE, &port);
    if (link == NULL) {
        world_plan(world_between(5 * MS, 30 * MS), connect_gate, NULL, what);
        return;
    }
    link->on_frame = tg_gate_frame;
    link->on_gone = tg_gate_gone;
    tg_link_begin(link);
    gate->link = (struct sim_link *)(void *)link;
    gate->link->gate = (uint32_t)what;
    gate->to_keeper_us = gate->from_keeper_us = world.now_us;
    struct tg_buf out = tg_buf(room, sizeof(room));
    struct tg_hello hello = {.protocol = TG_FRAME_VERSION, .pid = 1};
    tg_hello_write(&out, TG_FRAME_HELLO, &hello);
    send_bytes((uint32_t)what, tg_buf_span(&out));
    for (uint16_t at = 0; at < SLOTS; at++) {
        if (gate->slots[at].used && gate->slots[at].asked) {
            send_question((uint32_t)what, at);
        }
    }
}

void gates_closed(void)
{
    while (closing_count > 0) {
        struct tg_link *link = closings[--closing_count];
        uint32_t number = ((struct sim_link *)(void *)link)->gate;
        bool mine = &gates[number].link->link == link;
        tg_link_closed(link);
        if (mine) {
            disconnected(number);
        }
    }
}

void gates_bury(void)
{
    gates_closed();
}

void gates_break_link(void)
{
    uint32_t number = (uint32_t)world_below(GATES);
    if (gates[number].link != NULL && host_keeper != NULL) {
        tg_link_close(&gates[number].link->link);
        host_turn();
    }
}

void gates_kill_worker(void)
{
    uint32_t number = (uint32_t)world_below(GATES);
    struct gate *gate = &gates[number];
    for (size_t at = 0; at < SLOTS; at++) {
        if (gate->slots[at].used) {
            gate->slots[at].used = false;
            caller_cut(gate->slots[at].request);
        }
    }
    if (gate->link != NULL && host_keeper != NULL) {
        tg_link_close(&gate->link->link);
        host_turn();
    }
}

void gates_begin(uint64_t payments)
{
    for (uint32_t number = 0; number < GATES; number++) {
        connect_gate(NULL, number);
    }
    callers_begin(payments);
}

bool gates_done(void)
{
    return callers_done();
}

uint64_t gates_paid(void)
{
    return callers_paid();
}
