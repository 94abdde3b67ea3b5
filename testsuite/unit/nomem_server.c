/* SPDX-License-Identifier: BSD-3-Clause */
#include "nomem_server.h"

#include "message.h"

#define VINEGAR                                                                                    \
    "13 11 080e086275696c74696e73 080e084b65794572726f72 10080a78 "                                \
    "10 11 080e0a5f72656d6f74655f7462 080a74 080e03746220"

#define LONG_TEXT 100000

struct server {
    struct peer peer;
    struct thread thread;
};

/* The reply to a request, by its handler and by a text in it, if there is one. */
static const struct answer {
    enum handler handler;
    const char *text;
    const char *box;
} answers[] = {
    {HANDLE_PING, NULL, "1151 0e0464617461"},
    {HANDLE_GETROOT, NULL, "1154" ROOT},
    {HANDLE_GETATTR, "number", "1151 161339323233333732303336383534373735383038"},
    {HANDLE_GETATTR, "sum", "1151 080e03616263"},
    {HANDLE_GETATTR, NULL, "1154" LIST},
    {HANDLE_CALLATTR, "getmodule", "1154" DICT},
    {HANDLE_CALLATTR, "__len__", "1151 53"},
    {HANDLE_CALLATTR, "contains", "1151 03"},
    {HANDLE_CALLATTR, "lt", "1151 04"},
    {HANDLE_CALLATTR, "mixed", "1152 13 1151 51 1154" LIST "1152 02 1152 10 1154" DICT},
    {HANDLE_CALLATTR, "plain",
     "1151 140e 080b6865 57 080c6c6c6f 58 02 1603393030 00 03 06 184032333333333333 "
     "1b402a0000000000004032333333333333 19 12515253 1a 12555657 05"},
    {HANDLE_CALLATTR, NULL, "1154" LIST},
    {HANDLE_CALL, NULL, "1154" DICT},
    {HANDLE_REPR, NULL, "1151 080a72"},
    {HANDLE_STR, NULL, "1151 080a73"},
    {HANDLE_DIR, NULL, "1151 11 080a61 080a62"},
    {HANDLE_PICKLE, NULL, "1151 0b8002"},
    {HANDLE_HASH, NULL, "1151 57"},
    {HANDLE_BUFFITER, NULL, "1152 11 1154" LIST "1151 51"},
};

/* Sends a message. args: in hex. */
static void send_message(struct server *s, enum message_kind kind, int64_t seq, const char *args)
{
    const struct envelope env = {RPYC_GENERATION_6, false};
    AUTO_BYTES bytes = from_hex(args);
    AUTO_BUFFER out = BUFFER_INIT;
    size_t start = message_begin(&out, &env, kind, seq, NULL);

    buffer_put(&out, bytes.data, bytes.len);
    assert_int_equal(frame_end(&out, start, false, NULL), 0);
    send(s->peer.fd, out.data, out.len, MSG_NOSIGNAL);
}

/* Sends a reply that is long enough to be compressed. */
static void send_long(struct server *s, int64_t seq, bool compress)
{
    const struct envelope env = {RPYC_GENERATION_6, false};
    AUTO_BYTES text = {calloc(1, LONG_TEXT), LONG_TEXT};
    AUTO_BUFFER out = BUFFER_INIT;
    size_t start = message_begin(&out, &env, MESSAGE_REPLY, seq, NULL);

    box_put(&out, LABEL_VALUE);
    brine_put_bytes(&out, text.data, text.len);
    assert_int_equal(frame_end(&out, start, compress, NULL), 0);
    send(s->peer.fd, out.data, out.len, MSG_NOSIGNAL);
}

/* True if a message has a text in it. */
static bool has(const struct message *m, const char *text)
{
    return memmem(m->frame.data, m->frame.len, text, strlen(text)) != NULL;
}

/* Sends a request on the local object that is an argument of a message. `args`: the arguments after
 * the object. `count`: the number of all arguments. */
static void ask(struct server *s, const struct message *m, enum handler handler, unsigned count,
                const char *args)
{
    static const uint8_t box[] = {0x11, 0x50 + LABEL_REMOTE_REF};
    const uint8_t *at = memmem(m->frame.data, m->frame.len, box, sizeof(box)), *pack;
    struct brine_reader r;
    char hex[1024];
    size_t len, i, n;

    if (!at)
        return;
    brine_read(&r, at + sizeof(box), (size_t)(m->frame.data + m->frame.len - at) - sizeof(box));
    assert_true(brine_skip(&r, &pack, &len));
    n = (size_t)snprintf(hex, sizeof(hex), "11 %02x ", 0x50 + handler);
    if (handler == HANDLE_INSPECT)
        n += (size_t)snprintf(hex + n, sizeof(hex) - n, "1151 10");
    else
        n += (size_t)snprintf(hex + n, sizeof(hex) - n, "1152 %02x 1153", 0x0f + count);
    for (i = 0; i < len; i++)
        n += (size_t)snprintf(hex + n, sizeof(hex) - n, "%02x", pack[i]);
    snprintf(hex + n, sizeof(hex) - n, "%s", args);
    send_message(s, MESSAGE_REQUEST, 90, hex);
}

/* Sends all requests on a local object. */
static void ask_everything(struct server *s, const struct message *m)
{
    ask(s, m, HANDLE_INSPECT, 1, "");
    ask(s, m, HANDLE_GETATTR, 2, "1151 080a61");
    ask(s, m, HANDLE_GETATTR, 2, "1151 080a6d");
    ask(s, m, HANDLE_SETATTR, 3, "1151 080a61 1154" LIST);
    ask(s, m, HANDLE_DELATTR, 2, "1151 080a61");
    ask(s, m, HANDLE_DELATTR, 2, "1151 080a62");
    ask(s, m, HANDLE_CALL, 3, "1152 10 1154" LIST "1151 10 11 080a6b 51");
    ask(s, m, HANDLE_CALLATTR, 3, "1151 080a6d 1152 10 1154" LIST);
    ask(s, m, HANDLE_STR, 1, "");
    ask(s, m, HANDLE_REPR, 1, "");
    ask(s, m, HANDLE_HASH, 1, "");
    ask(s, m, HANDLE_DIR, 1, "");
    ask(s, m, HANDLE_CMP, 3, "1151 51 1151 080e06 5f5f65715f5f");
    send_message(s, MESSAGE_REQUEST, 91, "11 51 1151 10 0b6869");
    send_message(s, MESSAGE_REQUEST, 92, "11 53 1151 02");
    ask(s, m, HANDLE_DEL, 2, "1151 51");
}

static void answer(struct server *s, struct message *m, int64_t handler)
{
    size_t i;

    if (has(m, "raise")) {
        send_message(s, MESSAGE_EXCEPTION, m->seq, VINEGAR);
        return;
    }
    if (has(m, "stop")) {
        send_message(s, MESSAGE_EXCEPTION, m->seq, "51");
        return;
    }
    if (has(m, "long") || has(m, "deflated")) {
        send_long(s, m->seq, has(m, "deflated"));
        return;
    }
    if (has(m, "object"))
        ask_everything(s, m);
    for (i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        const struct answer *a = &answers[i];

        if ((int64_t)a->handler == handler && (!a->text || has(m, a->text))) {
            send_message(s, MESSAGE_REPLY, m->seq, a->box);
            return;
        }
    }
    send_message(s, MESSAGE_REPLY, m->seq, NONE);
}

/* Reads n bytes. Returns false at the end. */
static bool take(struct server *s, void *bytes, size_t n)
{
    return n == 0 || recv(s->peer.fd, bytes, n, MSG_WAITALL) == (ssize_t)n;
}

/* Answers every request until the client hangs up. */
static void serve(void *arg)
{
    const struct envelope env = {RPYC_GENERATION_6, false};
    struct server *s = arg;
    uint8_t header[FRAME_HEADER_SIZE];

    while (take(s, header, sizeof(header))) {
        struct envelope known = env;
        struct message m = {0};
        AUTO_BYTES payload = {NULL, load_u32(header)};
        int64_t handler;

        payload.data = malloc(payload.len + 1);
        if (!take(s, payload.data, payload.len + 1))
            break;
        assert_int_equal(payload.data[payload.len], '\n');
        m.frame.data = payload.data;
        m.frame.len = payload.len;
        assert_int_equal(message_parse(&m, &known, NULL), 0);
        if (m.kind != MESSAGE_REQUEST)
            continue;
        assert_int_equal(message_handler(&m, &handler, NULL), 0);
        if (handler == HANDLE_CLOSE)
            break;
        answer(s, &m, handler);
    }
    shutdown(s->peer.fd, SHUT_RDWR);
}

void connect_and_run(scenario run, unsigned long n)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6};
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct server s = {0};
    rpyc_conn *conn = NULL;
    int fd;

    fd = peer_open(&s.peer);
    thread_start(&s.thread, serve, &s);
    allocations_count(n);
    assert_went(rpyc_connect_fd(&conn, fd, &options, &err), &err);
    if (conn)
        run(conn);
    rpyc_close(conn);
    allocations_stop();
    thread_join(&s.thread);
    peer_close(&s.peer);
}
