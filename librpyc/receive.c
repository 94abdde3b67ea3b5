/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_internal.h"

/* While other connections wait for the turn (see turns.h), the connection that has it must receive
 * SLICE_BYTES of its long message in each SLICE_MS. If it receives less, it loses the turn. */
#define SLICE_BYTES ((size_t)64 * 1024)
#define SLICE_MS    250

/* A long message keeps the turn while it is handled. Handling it may require requests to the peer
 * about the objects in it. The connection with the turn is closed if other connections wait for the
 * turn, and fewer than SLICE_BYTES arrive in each of more than this number of slices in a row. */
#define IDLE_SLICES_MAX 20

static deadline_t earlier(deadline_t a, deadline_t b)
{
    return a < b ? a : b;
}

/* ---- The turn ------------------------------------------------------------------------------- */

static void begin_slice(struct conn *c)
{
    c->slice_end = deadline_in(SLICE_MS);
    c->slice_bytes = 0;
}

/* Fills err with the reason why the wait for the turn ended. */
static int give_up_turn(struct conn *c, deadline_t due, deadline_t deadline, struct rpyc_error *err)
{
    if (atomic_load(&c->turn.stopped))
        return error_set(err, RPYC_ECLOSED,
                         "the peer hung up while its message of over 1 MB waited for its turn");
    if (conn_deadline_passed(due))
        return error_set(
            err, RPYC_EPROTOCOL,
            "the peer's message of over 1 MB waited too long for its turn (send_timeout)");
    if (conn_deadline_passed(deadline))
        return error_set(err, RPYC_ETIMEOUT, "no answer in time");
    return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
}

/* Waits for the turn, for the message that is being received. */
static int wait_for_turn(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    deadline_t due = atomic_load(&c->turn_due);

    if (due == 0)
        due = conn_stalled_at(c, DEADLINE_NEVER);
    atomic_store(&c->turn_due, due);
    while (!turn_take(&c->turn, earlier(due, conn_next_check(c, deadline, false)))) {
        if (atomic_load(&c->turn.stopped) || conn_deadline_passed(earlier(due, deadline)) ||
            conn_interrupted(c, true))
            return give_up_turn(c, due, deadline, err);
    }
    atomic_store(&c->turn_due, 0);
    turn_unkeep(&c->turn, c->kept);
    c->kept = 0;
    c->reads_in_turn = true;
    c->rest_due = conn_stalled_at(c, DEADLINE_NEVER); /* the time of the wait does not count,
                                                       * because this side did not read */
    begin_slice(c);
    return 0;
}

/* Releases the turn before the message is complete, and keeps the bytes that have arrived. Fails if
 * all connections together would keep too many bytes. */
static int park(struct conn *c, struct rpyc_error *err)
{
    size_t n = c->reader.in.len;
    bool fits = turn_keep(&c->turn, n);

    c->reads_in_turn = false;
    turn_give(&c->turn);
    c->kept = fits ? n : 0;
    if (fits)
        return 0;
    return error_set(err, RPYC_EPROTOCOL,
                     "the peer sends a message of over 1 MB too slowly, while other "
                     "peers wait to send long messages");
}

/* Called often. Acts only at the end of a slice of time, if other connections wait for the turn and
 * too few bytes have arrived in the slice. If the message is incomplete, releases the turn. If the
 * message is complete and is being handled, fails after IDLE_SLICES_MAX such slices in a row. */
static int end_slice(struct conn *c, struct rpyc_error *err)
{
    bool gets_on = c->slice_bytes >= SLICE_BYTES;

    if (!conn_deadline_passed(c->slice_end))
        return 0;
    begin_slice(c);
    if (gets_on || !turn_is_wanted(&c->turn)) {
        c->idle_slices = 0;
        return 0;
    }
    if (c->reads_in_turn)
        return park(c, err);
    if (++c->idle_slices <= IDLE_SLICES_MAX)
        return 0;
    return error_set(err, RPYC_EPROTOCOL,
                     "the peer sent a message of over 1 MB and does not answer the questions "
                     "about the objects in it, while other peers wait to send long messages");
}

/* ---- Receiving ------------------------------------------------------------------------------ */

/* Fills err with the error for the end of the stream. Returns -1. */
static int end_of_stream(const struct conn *c, struct rpyc_error *err)
{
    if (frame_pending(&c->reader))
        return error_set(err, RPYC_EPROTOCOL, "the peer hung up in the middle of a message");
    return error_set(err, RPYC_ECLOSED, "the peer hung up");
}

/* Receives some bytes; none if the slice of time ends first. Fails if the peer has stopped sending
 * in the middle of a message. */
static int receive(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    deadline_t rest_due = frame_pending(&c->reader) ? c->rest_due : DEADLINE_NEVER;
    deadline_t until = earlier(rest_due, deadline);
    bool in_turn = atomic_load(&c->turn.has);
    struct rpyc_error why;
    uint8_t *room;
    ssize_t got;
    size_t n;

    error_init(&why);
    room = frame_room(&c->reader, &n);
    if (!room)
        return error_nomem(err);
    got = stream_receive(&c->stream, room, n, in_turn ? earlier(until, c->slice_end) : until, &why);
    if (got == 0)
        return end_of_stream(c, err);
    if (got > 0) {
        frame_received(&c->reader, (size_t)got);
        c->rest_due = conn_stalled_at(c, DEADLINE_NEVER);
        c->slice_bytes += (size_t)got;
    } else if (why.code == RPYC_ETIMEOUT && conn_deadline_passed(rest_due)) {
        return error_set(err, RPYC_EPROTOCOL,
                         "the peer stopped sending in the middle of a message");
    } else if (why.code != RPYC_ETIMEOUT || conn_deadline_passed(until)) {
        return error_copy(err, &why);
    }
    return in_turn ? end_slice(c, err) : 0;
}

static int read_frame(struct conn *c, struct frame *f, deadline_t deadline, struct rpyc_error *err)
{
    int result;

    for (;;) {
        c->reader.short_only = c->turn.turns && !atomic_load(&c->turn.has);
        result = frame_next(&c->reader, f, err);
        if (result == 1)
            return 0;
        if (result == 2)
            result = wait_for_turn(c, deadline, err);
        else if (result == 0)
            result = receive(c, deadline, err);
        if (result < 0)
            return -1;
    }
}

int conn_receive(struct conn *c, struct message *m, deadline_t deadline, struct rpyc_error *err)
{
    int result = read_frame(c, &m->frame, deadline, err);

    if (!c->reads_in_turn)
        return result;
    if (result < 0)
        return park(c, err) < 0 ? -1 : result; /* other connections must not wait until the next
                                                * read */
    c->reads_in_turn = false;
    m->turn = &c->turn;
    return 0;
}
