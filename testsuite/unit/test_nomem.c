/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lets each allocation fail. A scenario runs many times: the first allocation fails, then the
 * second, and so on, until the scenario has no further allocation. It must end each time, with or
 * without an error, and must free all memory. The linker replaces malloc and similar functions by
 * those below.
 */
#include "unit.h"

#include <search.h>
#include <sys/mman.h>

#include "format.h"
#include "handlers.h"
#include "local.h"
#include "message.h"
#include "request.h"

/* ---- Allocations that fail ------------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void __real_free(void *p);
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));

/* In the client's thread: the number of the allocation that fails, counted from now; 0: none. */
static __thread unsigned long countdown;

/* The number of memory blocks that the client has allocated and not freed. Blocks of its peer,
 * which runs in the same process, are not counted. */
static atomic_long alive;
static __thread bool counts;

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

static void *counted(void *p)
{
    if (p && counts)
        atomic_fetch_add(&alive, 1);
    return p;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    void *p = fails() ? NULL : __real_realloc(old, size);

    return old ? p : counted(p);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : counted(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : counted(__real_strndup(text, len));
}

void __wrap_free(void *p)
{
    if (p && counts)
        atomic_fetch_sub(&alive, 1);
    __real_free(p);
}

void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, offset);
}

void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
    return fails() ? NULL : __real_tsearch(key, root, compare);
}

/* ---- The server ------------------------------------------------------------------------------ */

/* Id packs, as in link.h. */
#define LIST "12 080e0d6275696c74696e732e6c697374 5155"
#define DICT "12 080e0d6275696c74696e732e64696374 5256"
#define ROOT "12 080e06612e526f6f74 5357"
#define NONE "1151 00"

#define VINEGAR                                                                                    \
    "13 11 080e086275696c74696e73 080e084b65794572726f72 10080a78 "                                \
    "10 11 080e0a5f72656d6f74655f7462 080a74 080e03746220"

#define LONG_TEXT 100000

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

struct server {
    struct peer peer;
    struct thread thread;
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

/* ---- Running a scenario ---------------------------------------------------------------------- */

/* True for the errors that a failed allocation may cause: no memory, or the end of the connection.
 */
static void assert_went(int result, struct rpyc_error *err)
{
    if (result >= 0) {
        assert_int_equal(err->code, RPYC_OK);
        return;
    }
    if (err->code != RPYC_ENOMEM && err->code != RPYC_ECLOSED && err->code != RPYC_EREMOTE)
        fail_msg("an error of another kind: %d, %s", err->code, err->text);
    assert_string_not_equal(err->text, "");
    rpyc_error_clear(err);
}

/* A scenario gets a connection, or NULL if there is none. It returns true if all calls succeeded.
 */
typedef void (*scenario)(rpyc_conn *conn);

static void connect_and_run(scenario run, unsigned long n)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6};
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct server s = {0};
    rpyc_conn *conn = NULL;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    s.peer.fd = fds[1];
    thread_start(&s.thread, serve, &s);
    counts = true;
    countdown = n;
    assert_went(rpyc_connect_fd(&conn, fds[0], &options, &err), &err);
    if (conn)
        run(conn);
    rpyc_close(conn);
    counts = false;
    thread_join(&s.thread);
    peer_close(&s.peer);
}

static void run_alone(scenario run, unsigned long n)
{
    counts = true;
    countdown = n;
    run(NULL);
    counts = false;
}

static void fail_each(void (*with)(scenario, unsigned long), scenario run)
{
    unsigned long n = 0;
    int fds = open_fds();

    do {
        n++;
        with(run, n);
        if (atomic_load(&alive) != 0)
            fail_msg("with allocation %lu failing, %ld blocks leak", n, atomic_load(&alive));
        assert_int_equal(open_fds(), fds);
    } while (countdown == 0);
    countdown = 0;
    print_message("%lu allocations\n", n - 1);
    assert_true(n > 1);
}

#define TRY(call) assert_went(call, &err)

/* ---- Scenarios without a connection ---------------------------------------------------------- */

static void build_values(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL, *item = NULL;

    (void)conn;
    TRY(rpyc_build(&v, &err, "(isldb)", 1, "text", (int64_t)2, 3.0, 1));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_build(&v, &err, "z y n c [iiN] {ii} (((E) X) u)", "a\0b", (size_t)3, "\377", (size_t)1,
                   "123456789012345678901234567890", 1.0, 2.0, 1, 2, 3, 4, UINT64_MAX));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_build(&v, &err, "(iiiiiiiiiiiiiiiiii)", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                   15, 16, 17, 18));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_build(&item, &err, "s", "text"));
    if (item)
        TRY(rpyc_pack(&v, (rpyc_value *[]){item, item}, 2, &err));
    rpyc_unref(item);
    rpyc_unref(v);
}

static void raise_exceptions(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;

    (void)conn;
    TRY(rpyc_raise(&err, "ValueError", "no %d", 1));
}

TEST(building_values)
{
    fail_each(run_alone, build_values);
}

TEST(raising_exceptions)
{
    fail_each(run_alone, raise_exceptions);
}

/* ---- Scenarios over a connection ------------------------------------------------------------- */

static void do_nothing(rpyc_conn *conn)
{
    (void)conn;
}

static void use_classic(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;
    bool there;

    TRY(rpyc_module(conn, "sys", &v, &err));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_builtin(conn, "len", &v, &err));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_eval(conn, "mixed", &v, &err));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_namespace(conn, &v, &err));
    rpyc_unref(v);
    TRY(rpyc_execute(conn, "plain", &err));
    TRY(rpyc_has_module(conn, "a.b", &there, &err));
}

static void use_netrefs(rpyc_conn *conn)
{
    static const char *const names[] = {"number", "sum", "other"};
    static const char *const methods[] = {"mixed", "plain", "long", "deflated", "other"};
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    rpyc_value *v;
    size_t i;

    TRY(rpyc_root(conn, &root, &err));
    for (i = 0; root && i < sizeof(names) / sizeof(*names); i++) {
        v = NULL;
        TRY(rpyc_getattr(root, names[i], &v, &err));
        rpyc_unref(v);
    }
    for (i = 0; root && i < sizeof(methods) / sizeof(*methods); i++) {
        v = NULL;
        TRY(rpyc_callattr(root, methods[i], &v, &err, "si, key=O", "x", 1, root));
        rpyc_unref(v);
    }
    TRY(rpyc_setattr(root, "a", root, &err));
    TRY(rpyc_delattr(root, "a", &err));
}

static void ask_questions(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    AUTO_VALUE *repr = NULL;
    AUTO_VALUE *text = NULL;
    AUTO_VALUE *names = NULL;
    AUTO_VALUE *pickle = NULL;
    int64_t hash;
    size_t len;
    bool truth;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_len(root, &len, &err));
    TRY(rpyc_contains(root, root, &truth, &err));
    TRY(rpyc_compare(root, "<", root, &truth, &err));
    TRY(rpyc_hash(root, &hash, &err));
    TRY(rpyc_repr(root, &repr, &err));
    TRY(rpyc_tostr(root, &text, &err));
    TRY(rpyc_dir(root, &names, &err));
    TRY(rpyc_pickle(root, 2, &pickle, &err));
    TRY(rpyc_ping(conn, "data", 4, &err));
    TRY(rpyc_exit(root, NULL, NULL, &err));
}

static void meet_exceptions(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    rpyc_value *v = NULL;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_getattr(root, "raise", &v, &err));
    TRY(rpyc_callattr(root, "stop", &v, &err, ""));
    rpyc_execute(conn, "raise", NULL);
    assert_null(v);
}

static void iterate(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    rpyc_iter *iter = NULL;
    rpyc_value *item;
    int i, result;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_iterate(root, &iter, &err));
    for (i = 0; iter && i < 5; i++) {
        result = rpyc_next(iter, &item, &err);
        if (result == 1)
            rpyc_unref(item);
        assert_went(result, &err);
    }
    rpyc_iter_free(iter);
}

static void told(void *arg)
{
    ++*(int *)arg;
}

static void use_pending(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_pending *p[3] = {NULL, NULL, NULL};
    AUTO_VALUE *root = NULL;
    int count = 0;
    size_t i;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_start_getattr(root, "a", &p[0], &err));
    TRY(rpyc_start_call(root, &p[1], &err, "s", "x"));
    TRY(rpyc_start_callattr(root, "mixed", &p[2], &err, "s", "x"));
    for (i = 0; i < 3; i++) {
        AUTO_VALUE *v = NULL;

        if (!p[i])
            continue;
        rpyc_pending_notify(p[i], told, &count);
        if (i > 0)
            TRY(rpyc_pending_wait(p[i], 0, &v, &err));
    }
    for (i = 0; i < 3; i++)
        rpyc_pending_free(p[i]);
}

/* The next request releases the objects of all of them. */
static void drop_many(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;
    int i;

    for (i = 0; i < 3; i++) {
        TRY(rpyc_eval(conn, "mixed", &v, &err));
        rpyc_unref(v);
        v = NULL;
    }
    TRY(rpyc_ping(conn, "data", 4, &err));
}

/* ---- Local objects --------------------------------------------------------------------------- */

static int get(void *self, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    (void)self;
    return rpyc_build(out, err, "s", name);
}

static int set(void *self, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    (void)self;
    (void)value;
    return strcmp(name, "a") == 0 ? 0 : rpyc_raise(err, "AttributeError", "no %s", name);
}

static int call(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                rpyc_value **out, struct rpyc_error *err)
{
    (void)self;
    (void)method;
    return rpyc_build(out, err, "OO", args, kwargs);
}

static void destroy(void *self)
{
    --*(int *)self;
}

static const char *const methods_of_ours[] = {"m", "n", NULL};
static const struct rpyc_ops ops = {
    .methods = methods_of_ours,
    .getattr = get,
    .setattr = set,
    .call = call,
    .destroy = destroy,
};

static int function(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                    struct rpyc_error *err)
{
    return call(arg, NULL, args, kwargs, out, err);
}

static void show_objects(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    AUTO_VALUE *f = NULL;
    rpyc_value *object = NULL, *v = NULL;
    int objects = 1;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_function(&f, function, NULL, &err));
    TRY(rpyc_object(&object, &ops, &objects, &err));
    if (root && f && object) {
        TRY(rpyc_callattr(root, "object", &v, &err, "O", object));
        rpyc_unref(v);
        v = NULL;
        TRY(rpyc_callattr(root, "object", &v, &err, "(iO)", 1, f));
        rpyc_unref(v);
    }
    if (!object)
        objects = 0;
    rpyc_unref(object);
    /* releases the object if the server still holds it */
    held_clear(&conn->locals);
    assert_int_equal(objects, 0);
}

#define OVER_A_CONNECTION(name, run)                                                               \
    TEST(name)                                                                                     \
    {                                                                                              \
        fail_each(connect_and_run, run);                                                           \
    }

OVER_A_CONNECTION(connecting, do_nothing)
OVER_A_CONNECTION(the_classic_service, use_classic)
OVER_A_CONNECTION(netrefs_and_what_calls_return, use_netrefs)
OVER_A_CONNECTION(answers_of_one_type, ask_questions)
OVER_A_CONNECTION(exceptions_of_the_other_side, meet_exceptions)
OVER_A_CONNECTION(iteration, iterate)
OVER_A_CONNECTION(requests_without_waiting, use_pending)
OVER_A_CONNECTION(giving_objects_back, drop_many)
OVER_A_CONNECTION(local_objects, show_objects)
