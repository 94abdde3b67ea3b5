/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Envelopes of messages. The golden messages were sent by Connection._send() of rpyc 5.3.1
 * and 6.0.2.
 */
#include "unit.h"

#include "message.h"

/* The arguments of each golden message, which follow the head of the envelope. */
#define GETROOT_ARGS "1153115102"                     /* (3, (1, ())) */
#define PING_ARGS    "1151 1151 10 0c616263"          /* (1, (1, (b"abc",))) */
#define TUPLE_ARGS   "115111080a61183ff8000000000000" /* (1, ("a", 1.5)) */
#define EXCEPTION_ARGS                                                                             \
    "13 11 080e086275696c74696e73 080e084b65794572726f72 10 080a78 "                               \
    "10 11 080e0f5f72656d6f74655f76657273696f6e 080e10 3c76657273696f6e2064656e6965643e 080b7462"

static const struct envelope five = {RPYC_GENERATION_5, false};
static const struct envelope six = {RPYC_GENERATION_6, false};
static const struct envelope five_bound = {RPYC_GENERATION_5, true};
static const struct envelope six_bound = {RPYC_GENERATION_6, true};
static const struct envelope unknown = {RPYC_GENERATION_AUTO, false};

#define THREADS "00007f9b828ff6c0 0000000000000000"

#define AUTO_MESSAGE _cleanup_(message_free) struct message

static struct message message_of(const char *hex)
{
    struct message m = {0};
    AUTO_BYTES payload = from_hex(hex);

    buffer_put(&m.frame.store, payload.data, payload.len);
    /* Copies the bytes to memory of exactly their size, so that AddressSanitizer finds reads beyond
     * the end. */
    m.frame.store.data = realloc(m.frame.store.data, payload.len + !payload.len);
    m.frame.store.cap = payload.len;
    m.frame.data = m.frame.store.data;
    m.frame.len = payload.len;
    return m;
}

static void assert_rest(const struct message *m, const char *hex)
{
    assert_bytes(m->body.pos, (size_t)(m->body.end - m->body.pos), hex);
}

/* Parses a valid payload and checks all members of the envelope. */
static void assert_parses(const char *hex, struct envelope env, struct envelope wanted,
                          enum message_kind kind, int64_t seq, const char *args)
{
    AUTO_MESSAGE m = message_of(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(message_parse(&m, &env, &err), &err);
    assert_int_equal(env.generation, wanted.generation);
    assert_int_equal(env.bound, wanted.bound);
    assert_int_equal(m.kind, kind);
    assert_int_equal(m.seq, seq);
    assert_rest(&m, args);
}

static void assert_refused(const char *hex, struct envelope env, enum rpyc_errcode code,
                           const char *text)
{
    AUTO_MESSAGE m = message_of(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(message_parse(&m, &env, &err), -1);
    assert_error(&err, code, text);
}

#define REFUSES(hex, env) assert_refused(hex, env, RPYC_EPROTOCOL, "")

/* ---- Reading envelopes ----------------------------------------------------------------------- */

/* The same messages as either generation sends them: the heads of their envelopes, their arguments.
 */
static const struct {
    const char *five, *six, *args;
    enum message_kind kind;
    int64_t seq;
} golden[] = {
    {"125150" GETROOT_ARGS, "011150" GETROOT_ARGS, GETROOT_ARGS, MESSAGE_REQUEST, 0},
    {"125250" TUPLE_ARGS, "021150" TUPLE_ARGS, TUPLE_ARGS, MESSAGE_REPLY, 0},
    {"125151" PING_ARGS, "011151" PING_ARGS, PING_ARGS, MESSAGE_REQUEST, 1},
    {"125357" EXCEPTION_ARGS, "031157" EXCEPTION_ARGS, EXCEPTION_ARGS, MESSAGE_EXCEPTION, 7},
};

TEST(the_first_message_tells_generation_5)
{
    size_t i;

    for (i = 0; i < sizeof(golden) / sizeof(*golden); i++)
        assert_parses(golden[i].five, unknown, five, golden[i].kind, golden[i].seq, golden[i].args);
}

TEST(the_first_message_tells_generation_6)
{
    size_t i;

    for (i = 0; i < sizeof(golden) / sizeof(*golden); i++)
        assert_parses(golden[i].six, unknown, six, golden[i].kind, golden[i].seq, golden[i].args);
}

TEST(the_first_message_tells_of_bind_threads)
{
    assert_parses(THREADS "125150" GETROOT_ARGS, unknown, five_bound, MESSAGE_REQUEST, 0,
                  GETROOT_ARGS);
    assert_parses(THREADS "011150" GETROOT_ARGS, unknown, six_bound, MESSAGE_REQUEST, 0,
                  GETROOT_ARGS);
    assert_parses(THREADS "125357 51", unknown, five_bound, MESSAGE_EXCEPTION, 7, "51");
    assert_parses(THREADS "031157 51", unknown, six_bound, MESSAGE_EXCEPTION, 7, "51");
}

/* What a stock server sends in answer to a message of another generation. */
TEST(a_close_tells_the_generation)
{
    assert_parses("125150 1152115102", unknown, five, MESSAGE_REQUEST, 0, "1152115102");
    assert_parses("011150 1152115102", unknown, six, MESSAGE_REQUEST, 0, "1152115102");
    assert_parses(THREADS "125150 1152115102", unknown, five_bound, MESSAGE_REQUEST, 0,
                  "1152115102");
}

TEST(a_known_generation_is_not_detected_again)
{
    assert_parses("125150" GETROOT_ARGS, five, five, MESSAGE_REQUEST, 0, GETROOT_ARGS);
    assert_parses("011150" GETROOT_ARGS, six, six, MESSAGE_REQUEST, 0, GETROOT_ARGS);
    assert_parses(THREADS "125150" GETROOT_ARGS, five_bound, five_bound, MESSAGE_REQUEST, 0,
                  GETROOT_ARGS);
    assert_parses(THREADS "011150" GETROOT_ARGS, six_bound, six_bound, MESSAGE_REQUEST, 0,
                  GETROOT_ARGS);
}

TEST(thread_ids_are_read_where_they_are_bound)
{
    struct envelope env = unknown;
    AUTO_MESSAGE m = message_of("00007f9b828ff6c0 00007f134f8ff6c1 021150 1151 00");
    AUTO_MESSAGE plain = message_of("021150 1151 00");

    assert_int_equal(message_parse(&m, &env, NULL), 0);
    assert_int_equal(m.sender, 0x7f9b828ff6c0);
    assert_int_equal(m.recipient, 0x7f134f8ff6c1);
    assert_rest(&m, "115100");
    env = six;
    plain.sender = plain.recipient = 1;
    assert_int_equal(message_parse(&plain, &env, NULL), 0);
    assert_int_equal(plain.sender, 0);
    assert_int_equal(plain.recipient, 0);
}

TEST(thread_ids_of_64_bits_are_read_if_bind_threads_is_known)
{
    struct envelope env = five_bound;
    AUTO_MESSAGE m = message_of("ffffffffffffffff 8000000000000001 125250 1151 00");

    assert_int_equal(message_parse(&m, &env, NULL), 0);
    assert_int_equal(m.sender, UINT64_MAX);
    assert_int_equal(m.recipient, 0x8000000000000001);
}

TEST(sequence_numbers_may_be_longer_than_one_byte)
{
    assert_parses("0111 1603333030 115f11511155 52", unknown, six, MESSAGE_REQUEST, 300,
                  "115f1151115552");
    assert_parses("1251 1603333030 115f11511155 52", unknown, five, MESSAGE_REQUEST, 300,
                  "115f1151115552");
    assert_parses("0211 161339323233333732303336383534373735383037 51", six, six, MESSAGE_REPLY,
                  INT64_MAX, "51");
}

TEST(the_other_generation_is_refused_later)
{
    REFUSES("125150" GETROOT_ARGS, six);
    REFUSES("011150" GETROOT_ARGS, five);
    REFUSES(THREADS "125150" GETROOT_ARGS, six_bound);
    REFUSES(THREADS "011150" GETROOT_ARGS, five_bound);
}

TEST(thread_ids_that_come_or_go_are_refused_later)
{
    assert_refused("125150" GETROOT_ARGS, five_bound, RPYC_EPROTOCOL,
                   "the peer uses the protocol of rpyc 5, expected rpyc 5 with bind-threads");
    assert_refused("011150" GETROOT_ARGS, six_bound, RPYC_EPROTOCOL,
                   "the peer uses the protocol of rpyc 6, expected rpyc 6 with bind-threads");
    REFUSES("125150" PING_ARGS "0000000000", five_bound);
    REFUSES("011150" PING_ARGS "0000000000", six_bound);
    REFUSES(THREADS "125150" GETROOT_ARGS, five);
    REFUSES(THREADS "011150" GETROOT_ARGS, six);
}

TEST(a_mismatch_does_not_change_what_is_known)
{
    struct envelope env = six;
    AUTO_MESSAGE m = message_of(THREADS "125150" GETROOT_ARGS);

    assert_int_equal(message_parse(&m, &env, NULL), -1);
    assert_int_equal(env.generation, RPYC_GENERATION_6);
    assert_false(env.bound);
}

TEST(a_payload_of_neither_generation_is_refused)
{
    const char *text = "the peer does not use the RPyC protocol";
    char hex[64];
    unsigned first;

    assert_refused("", unknown, RPYC_EPROTOCOL, text);
    for (first = 0; first < 256; first++) {
        if ((first >= 1 && first <= 3) || first == 0x12)
            continue;
        snprintf(hex, sizeof(hex), "%02x 1150 115102", first);
        assert_refused(hex, unknown, RPYC_EPROTOCOL, text);
        snprintf(hex, sizeof(hex), THREADS "%02x 1150 115102", first);
        assert_refused(hex, unknown, RPYC_EPROTOCOL, text);
    }
    assert_refused(THREADS, unknown, RPYC_EPROTOCOL, text);
    assert_refused("474554202f20485454502f312e310d0a0d0a", unknown, RPYC_EPROTOCOL, text);
}

TEST(an_unknown_kind_is_refused)
{
    assert_refused("1250 50 115102", five, RPYC_EPROTOCOL, "a message of unknown kind 0");
    assert_refused("1254 50 115102", unknown, RPYC_EPROTOCOL, "a message of unknown kind 4");
    assert_refused("124f 50 115102", unknown, RPYC_EPROTOCOL, "a message of unknown kind -1");
    assert_refused("00 1150 115102", six, RPYC_EPROTOCOL, "a message of unknown kind 0");
    assert_refused("04 1150 115102", six, RPYC_EPROTOCOL, "a message of unknown kind 4");
    assert_refused("ff 1150 115102", six, RPYC_EPROTOCOL, "a message of unknown kind 255");
}

TEST(an_empty_message_is_refused)
{
    assert_refused("", six, RPYC_EPROTOCOL, "an empty message");
    assert_refused(THREADS, six_bound, RPYC_EPROTOCOL, "an empty message");
    REFUSES("", five);
    REFUSES(THREADS, five_bound);
}

TEST(garbage_in_the_envelope_is_refused)
{
    const char *garbage_of_5[] = {"12",
                                  "1251",
                                  "125150",
                                  "12 51 00 00",
                                  "12 00 50 00",
                                  "11 51 50",
                                  "13 51505050",
                                  "12 51 0a61 00",
                                  "12 10 51 50 00",
                                  "12 51 07 00",
                                  "1a12 515000",
                                  "12ffffff",
                                  "12 51 1613 39323233333732303336383534373735383038 00"};
    const char *garbage_of_6[] = {"01",           "0111",         "011150",   "01 11 00 00",
                                  "01 10 50",     "01 12 505050", "01 50 00", "01 11 07 00",
                                  "01 1a11 5000", "01 00",        "01ffffff", "01 11 1050 00"};
    size_t i;

    for (i = 0; i < sizeof(garbage_of_5) / sizeof(*garbage_of_5); i++) {
        REFUSES(garbage_of_5[i], five);
        if (strncmp(garbage_of_5[i], "12", 2) == 0)
            REFUSES(garbage_of_5[i], unknown);
    }
    for (i = 0; i < sizeof(garbage_of_6) / sizeof(*garbage_of_6); i++) {
        REFUSES(garbage_of_6[i], six);
        REFUSES(garbage_of_6[i], unknown);
    }
}

TEST(args_too_deep_are_found_when_they_are_read)
{
    struct envelope env = unknown;
    AUTO_MESSAGE m = message_of("02 11 50");
    const uint8_t *data;
    size_t len;

    m.frame.store.data = realloc(m.frame.store.data, 1003);
    m.frame.store.cap = 1003;
    memset(m.frame.store.data + 3, 0x10, 999);
    m.frame.store.data[1002] = 0;
    m.frame.data = m.frame.store.data;
    m.frame.len = 1003;
    assert_int_equal(message_parse(&m, &env, NULL), 0);
    assert_false(brine_skip(&m.body, &data, &len));
    assert_int_equal(m.body.failed, RPYC_ELIMIT);
}

/* ---- Requests -------------------------------------------------------------------------------- */

TEST(the_handler_is_read_off_a_request)
{
    const char *requests[] = {"011150" GETROOT_ARGS, "125150" GETROOT_ARGS};
    size_t i;

    for (i = 0; i < 2; i++) {
        struct envelope env = unknown;
        AUTO_MESSAGE m = message_of(requests[i]);
        int64_t handler = 0;

        assert_int_equal(message_parse(&m, &env, NULL), 0);
        assert_int_equal(message_handler(&m, &handler, NULL), 0);
        assert_int_equal(handler, HANDLE_GETROOT);
        assert_rest(&m, "115102");
    }
}

TEST(handlers_that_do_not_exist_are_for_the_caller_to_refuse)
{
    struct envelope env = unknown;
    AUTO_MESSAGE m = message_of("011150 11 1603393939 115102");
    int64_t handler = 0;

    assert_int_equal(message_parse(&m, &env, NULL), 0);
    assert_int_equal(message_handler(&m, &handler, NULL), 0);
    assert_int_equal(handler, 999);
}

TEST(a_request_that_is_not_a_handler_and_its_arguments_is_refused)
{
    const char *requests[] = {
        "011150 53",       "011150 1053", "011150 1253 5151", "011150 11 0a33 115102",
        "011150 11 00 02", "011150 00",   "011150 11",        "011150 1a11 53 02"};
    size_t i;

    for (i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        struct envelope env = unknown;
        AUTO_MESSAGE m = message_of(requests[i]);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        int64_t handler;

        if (message_parse(&m, &env, &err) == 0)
            assert_int_equal(message_handler(&m, &handler, &err), -1);
        assert_error(&err, RPYC_EPROTOCOL, "bad brine: ");
    }
}

/* ---- Writing envelopes ----------------------------------------------------------------------- */

/* Writes a message with these arguments and checks the frame. */
static void assert_writes(struct envelope env, enum message_kind kind, int64_t seq,
                          const struct thread_pair *threads, const char *args, const char *frame)
{
    AUTO_BUFFER out = BUFFER_INIT;
    AUTO_BYTES rest = from_hex(args);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    size_t start = message_begin(&out, &env, kind, seq, threads);

    buffer_put(&out, rest.data, rest.len);
    assert_ok(frame_end(&out, start, true, &err), &err);
    assert_bytes(out.data, out.len, frame);
}

TEST(requests_are_written_as_either_generation_does)
{
    assert_writes(five, MESSAGE_REQUEST, 0, NULL, GETROOT_ARGS, "00000008 00 125150 1153115102 0a");
    assert_writes(six, MESSAGE_REQUEST, 0, NULL, GETROOT_ARGS, "00000008 00 011150 1153115102 0a");
    assert_writes(five, MESSAGE_REQUEST, 300, NULL, "115f1151115552",
                  "0000000e 00 12511603333030115f1151115552 0a");
    assert_writes(six, MESSAGE_REQUEST, 300, NULL, "115f1151115552",
                  "0000000e 00 01111603333030115f1151115552 0a");
}

TEST(replies_and_exceptions_are_written_as_either_generation_does)
{
    assert_writes(five, MESSAGE_REPLY, 0, NULL, "115111080a61183ff8000000000000",
                  "00000012 00 125250115111080a61183ff8000000000000 0a");
    assert_writes(six, MESSAGE_REPLY, 0, NULL, "115111080a61183ff8000000000000",
                  "00000012 00 021150115111080a61183ff8000000000000 0a");
    assert_writes(five, MESSAGE_EXCEPTION, 7, NULL, "51", "00000004 00 12535751 0a");
    assert_writes(six, MESSAGE_EXCEPTION, 7, NULL, "51", "00000004 00 03115751 0a");
    assert_int_equal(EXCEPTION_STOP_ITERATION, 1);
}

TEST(thread_ids_are_written_where_they_are_bound)
{
    const struct thread_pair top = {0x7f9b828ff6c0, 0};
    const struct thread_pair pair = {0x7f9b828ff6c0, 0xfedcba9876543210};

    assert_writes(six_bound, MESSAGE_REQUEST, 0, &top, GETROOT_ARGS,
                  "00000018 00 00007f9b828ff6c0 0000000000000000 0111501153115102 0a");
    assert_writes(five_bound, MESSAGE_REQUEST, 0, &top, GETROOT_ARGS,
                  "00000018 00 00007f9b828ff6c0 0000000000000000 1251501153115102 0a");
    assert_writes(six_bound, MESSAGE_REPLY, 7, &pair, "51",
                  "00000014 00 00007f9b828ff6c0 fedcba9876543210 02115751 0a");
    assert_writes(six, MESSAGE_REPLY, 7, &pair, "51", "00000004 00 02115751 0a");
}

TEST(an_unknown_generation_writes_envelopes_of_generation_6)
{
    assert_writes(unknown, MESSAGE_REQUEST, 0, NULL, GETROOT_ARGS,
                  "00000008 00 011150 1153115102 0a");
}

TEST(written_messages_can_be_read)
{
    const struct envelope envelopes[] = {five, six, five_bound, six_bound};
    const int64_t seqs[] = {0, 1, 159, 160, 100000, INT64_MAX};
    const struct thread_pair threads = {3, 4};
    size_t i, k;

    for (i = 0; i < 4; i++) {
        for (k = 0; k < 6; k++) {
            AUTO_BUFFER out = BUFFER_INIT;
            AUTO_ERROR err = RPYC_ERROR_INIT;
            AUTO_MESSAGE m = {0};
            struct frame_reader r;
            struct envelope env = unknown;
            size_t n, start = message_begin(&out, &envelopes[i], MESSAGE_REPLY, seqs[k], &threads);

            brine_put_str(&out, "x", 1);
            assert_int_equal(frame_end(&out, start, true, &err), 0);
            frame_reader_init(&r, 0);
            memcpy(frame_room(&r, &n), out.data, out.len);
            frame_received(&r, out.len);
            assert_int_equal(frame_next(&r, &m.frame, &err), 1);
            frame_reader_free(&r);
            assert_ok(message_parse(&m, &env, &err), &err);
            assert_int_equal(env.generation, envelopes[i].generation);
            assert_int_equal(env.bound, envelopes[i].bound);
            assert_int_equal(m.kind, MESSAGE_REPLY);
            assert_int_equal(m.seq, seqs[k]);
            assert_int_equal(m.sender, env.bound ? 3 : 0);
            assert_int_equal(m.recipient, env.bound ? 4 : 0);
            assert_rest(&m, "080a78");
        }
    }
}
