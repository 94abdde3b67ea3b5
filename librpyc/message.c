/* SPDX-License-Identifier: BSD-3-Clause */
#include "message.h"

#define THREAD_IDS_SIZE 16
#define TAG_TUPLE3      0x12 /* brine tag: tuple of three; begins an envelope of rpyc 4.1 to 5.3 */

void message_free(struct message *m)
{
    frame_free(&m->frame);
    message_give_turn(m);
}

void message_give_turn(struct message *m)
{
    if (m->turn)
        turn_give(m->turn);
    m->turn = NULL;
}

/* ---- The envelope --------------------------------------------------------------------------- */

/* Returns the generation whose envelope begins with this byte; RPYC_GENERATION_AUTO if there is
 * none. */
static enum rpyc_generation generation_of(uint8_t first)
{
    if (first == TAG_TUPLE3)
        return RPYC_GENERATION_5;
    if (first >= MESSAGE_REQUEST && first <= MESSAGE_EXCEPTION)
        return RPYC_GENERATION_6;
    return RPYC_GENERATION_AUTO;
}

/* Fills env from a connection's first payload. With bind-threads, a payload begins with a thread
 * id. A thread id is a user-space address, so its first byte is 0. */
static int detect(const uint8_t *payload, size_t len, struct envelope *env, struct rpyc_error *err)
{
    size_t at = len > THREAD_IDS_SIZE && payload[0] == 0 ? THREAD_IDS_SIZE : 0;
    enum rpyc_generation generation = len > 0 ? generation_of(payload[at]) : RPYC_GENERATION_AUTO;

    if (generation == RPYC_GENERATION_AUTO)
        return error_set(err, RPYC_EPROTOCOL, "the peer does not use the RPyC protocol");
    env->generation = generation;
    env->bound = at != 0;
    return 0;
}

/* If bind-threads is in use, reads the thread ids and moves *payload and *len past them. */
static int take_threads(struct message *m, const struct envelope *env, const uint8_t **payload,
                        size_t *len, struct rpyc_error *err)
{
    m->sender = 0;
    m->recipient = 0;
    if (!env->bound)
        return 0;
    if (*len < THREAD_IDS_SIZE)
        return error_set(
            err, RPYC_EPROTOCOL,
            "the peer sent a message without thread ids, although it uses bind-threads");
    m->sender = load_u64(*payload);
    m->recipient = load_u64(*payload + 8);
    *payload += THREAD_IDS_SIZE;
    *len -= THREAD_IDS_SIZE;
    return 0;
}

/* Reads the envelope up to args. In generation 5, the envelope is (kind, seq, args). In generation
 * 6, it is one byte for the kind, then (seq, args). */
static bool read_head(struct message *m, const struct envelope *env, const uint8_t *payload,
                      size_t len, int64_t *kind)
{
    struct brine_reader *r = &m->body;

    if (env->generation == RPYC_GENERATION_5) {
        brine_read(r, payload, len);
        return brine_expect_tuple(r, 3) && brine_expect_int(r, kind) &&
               brine_expect_int(r, &m->seq);
    }
    if (len == 0) {
        brine_read(r, payload, 0);
        return brine_fail(r, "an empty message");
    }
    *kind = payload[0];
    brine_read(r, payload + 1, len - 1);
    return brine_expect_tuple(r, 2) && brine_expect_int(r, &m->seq);
}

/* If the message is over a limit, makes further reads from m->body fail, because the rest of the
 * message was dropped. */
static void refuse_rest(struct message *m)
{
    if (m->frame.over)
        brine_fail_limit(&m->body, m->frame.over, m->frame.limit);
}

/* Called with err filled, because a message cannot be read. If the message seems to have another
 * envelope than env, fills err with this reason instead. Returns -1. */
static int wrong_envelope(const struct message *m, const struct envelope *env,
                          struct rpyc_error *err)
{
    struct rpyc_error unused = RPYC_ERROR_INIT;
    struct envelope seen;

    if (detect(m->frame.data, m->frame.len, &seen, &unused) < 0 ||
        (seen.generation == env->generation && seen.bound == env->bound))
        return -1;
    return error_set(err, RPYC_EPROTOCOL,
                     "the peer uses the protocol of rpyc %d%s, expected rpyc %d%s",
                     (int)seen.generation, seen.bound ? " with bind-threads" : "",
                     (int)env->generation, env->bound ? " with bind-threads" : "");
}

int message_parse(struct message *m, struct envelope *env, struct rpyc_error *err)
{
    const uint8_t *payload = m->frame.data;
    size_t len = m->frame.len;
    int64_t kind;

    if (env->generation == RPYC_GENERATION_AUTO && detect(payload, len, env, err) < 0)
        return -1;
    if (take_threads(m, env, &payload, &len, err) < 0)
        return wrong_envelope(m, env, err);
    if (!read_head(m, env, payload, len, &kind)) {
        brine_error(&m->body, err);
        return wrong_envelope(m, env, err);
    }
    if (kind < MESSAGE_REQUEST || kind > MESSAGE_EXCEPTION) {
        error_set(err, RPYC_EPROTOCOL, "a message of unknown kind %lld", (long long)kind);
        return wrong_envelope(m, env, err);
    }
    m->kind = (enum message_kind)kind;
    if (m->kind != MESSAGE_REQUEST)
        refuse_rest(m);
    return 0;
}

int message_handler(struct message *m, int64_t *handler, struct rpyc_error *err)
{
    if (!brine_expect_tuple(&m->body, 2) || !brine_expect_int(&m->body, handler))
        return brine_error(&m->body, err);
    refuse_rest(m);
    return 0;
}

size_t message_begin(struct buffer *out, const struct envelope *env, enum message_kind kind,
                     int64_t seq, const struct thread_pair *threads)
{
    size_t start = frame_begin(out);

    if (env->bound && threads) {
        buffer_put_u64(out, threads->sender);
        buffer_put_u64(out, threads->recipient);
    }
    if (env->generation == RPYC_GENERATION_5) {
        brine_put_tuple(out, 3);
        brine_put_int(out, kind);
    } else {
        buffer_put_u8(out, (uint8_t)kind);
        brine_put_tuple(out, 2);
    }
    brine_put_int(out, seq);
    return start;
}

/* ---- Boxing --------------------------------------------------------------------------------- */

void box_put(struct buffer *out, enum label label)
{
    brine_put_tuple(out, 2);
    brine_put_int(out, label);
}

bool box_next(struct brine_reader *r, enum label *label)
{
    int64_t n;

    if (!brine_expect_tuple(r, 2) || !brine_expect_int(r, &n))
        return false;
    if (n < LABEL_VALUE || n > LABEL_REMOTE_REF)
        return brine_fail(r, "a box with an unknown label");
    *label = (enum label)n;
    return true;
}

void id_pack_put(struct buffer *out, const struct id_pack *pack)
{
    brine_put_tuple(out, 3);
    brine_put_str(out, pack->name, pack->name_len);
    brine_put_uint(out, pack->class_id);
    brine_put_uint(out, pack->instance_id);
}

/* Converts decimal digits. Returns UINT64_MAX, which is no object's id, if the number is negative
 * or too large. */
static uint64_t parse_u64(const uint8_t *digits, size_t len)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (digits[i] == '-' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(digits[i] - '0'), &n))
            return UINT64_MAX;
    }
    return n;
}

/* Reads an id, which is an int. PyPy also sends negative ints of 64 bits. *id then gets the same 64
 * bits as an unsigned number. */
static bool next_id(struct brine_reader *r, uint64_t *id)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return false;
    if (item.type == BRINE_INT)
        *id = (uint64_t)item.integer;
    else if (item.type == BRINE_BIGINT)
        *id = parse_u64(item.data, item.len);
    else
        return brine_fail(r, "an id pack whose ids are not numbers");
    return true;
}

bool id_pack_next(struct brine_reader *r, struct id_pack *pack)
{
    struct brine_item name;

    pack->raw = r->pos;
    if (!brine_expect_tuple(r, 3) || !brine_next(r, &name))
        return false;
    if (name.type != BRINE_STR && name.type != BRINE_BYTES)
        return brine_fail(r, "an id pack whose name is not a str");
    /* The name is sent back unchanged, and a peer would close the connection on invalid UTF-8. */
    if (name.type == BRINE_STR && !brine_utf8(name.data, name.len))
        return brine_fail(r, "an id pack whose name is not UTF-8");
    if (!next_id(r, &pack->class_id) || !next_id(r, &pack->instance_id))
        return false;
    pack->name = (const char *)name.data;
    pack->name_len = name.len;
    pack->raw_len = (size_t)(r->pos - pack->raw);
    return true;
}

/* Reads the count of a DEL. given: false if the count is missing; a missing count means 1. Sets
 * *count to INT64_MAX if the count is larger, and to 0 if it is not a number. Returns false if the
 * count is not a boxed plain value. */
static bool read_del_count(struct brine_reader *r, bool given, int64_t *count)
{
    struct brine_item item;
    enum label label = LABEL_VALUE;

    *count = 1;
    if (!given)
        return true;
    if (!box_next(r, &label) || label != LABEL_VALUE || !brine_next(r, &item))
        return false;
    if (item.type == BRINE_INT)
        *count = item.integer;
    else if (item.type == BRINE_BIGINT && item.data[0] != '-')
        *count = INT64_MAX;
    else
        *count = 0;
    return true;
}

bool box_next_del(struct brine_reader *r, struct id_pack *pack, int64_t *count)
{
    struct brine_item item;
    enum label label = LABEL_VALUE;

    return box_next(r, &label) && label == LABEL_TUPLE && brine_next(r, &item) &&
           item.type == BRINE_TUPLE && item.count >= 1 && item.count <= 2 && box_next(r, &label) &&
           label == LABEL_LOCAL_REF && id_pack_next(r, pack) &&
           read_del_count(r, item.count == 2, count);
}
