/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: a byte, then a payload. The byte tells what is known about the connection: bits 0 and 1
 * are the generation (unknown, 5, 6), bit 2 is bind-threads.
 */
#include "fuzz.h"

static struct envelope envelope_of(uint8_t byte)
{
    static const enum rpyc_generation generations[] = {RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                                                       RPYC_GENERATION_6, RPYC_GENERATION_AUTO};
    enum rpyc_generation generation = generations[byte & 3];

    return (struct envelope){generation, generation != RPYC_GENERATION_AUTO && (byte & 4)};
}

/* Reads the arguments of a request in all ways, each from a copy of the reader. */
static void read_arguments(const struct brine_reader *at)
{
    struct brine_reader box = *at, del = *at, skip = *at;
    struct id_pack pack;
    enum label label;
    const uint8_t *data;
    int64_t count;
    size_t len;

    if (box_next(&box, &label) && label >= LABEL_LOCAL_REF && id_pack_next(&box, &pack)) {
        AUTO_BUFFER out = BUFFER_INIT;

        must(pack.raw_len > 0 && pack.raw >= at->pos && pack.raw + pack.raw_len <= at->end);
        id_pack_put(&out, &pack);
        must(!out.failed);
    }
    if (box_next_del(&del, &pack, &count))
        must(pack.name_len <= (size_t)(at->end - at->pos));
    brine_skip(&skip, &data, &len);
}

/* Checks that an envelope written by this library, of the same kind, can be read. */
static void answer(const struct message *m, const struct envelope *env)
{
    struct thread_pair threads = {m->recipient & INT64_MAX >> 8, m->sender & INT64_MAX >> 8};
    struct envelope learnt = *env;
    struct message again = {0};
    AUTO_BUFFER out = BUFFER_INIT;

    message_begin(&out, env, m->kind, m->seq, &threads);
    brine_put_none(&out);
    must(!out.failed);
    again.frame.data = out.data + FRAME_HEADER_SIZE;
    again.frame.len = out.len - FRAME_HEADER_SIZE;
    must(message_parse(&again, &learnt, NULL) == 0);
    must(again.kind == m->kind && again.seq == m->seq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct message m = {0};
    struct envelope env;
    int64_t handler;
    int result;

    if (size < 1)
        return 0;
    env = envelope_of(data[0]);
    m.frame.data = data + 1; /* borrowed: m is not freed */
    m.frame.len = size - 1;
    result = message_parse(&m, &env, &err);
    must_agree(result, &err);
    if (result < 0)
        return 0;
    must(env.generation != RPYC_GENERATION_AUTO);
    answer(&m, &env);
    if (m.kind == MESSAGE_REQUEST) {
        result = message_handler(&m, &handler, &err);
        must_agree(result, &err);
        if (result < 0)
            return 0;
    }
    read_arguments(&m.body);
    return 0;
}
