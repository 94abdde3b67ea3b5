/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A C program that uses librpyc as anyone would: by rpyc.h alone. It runs one case against a
 * server, for test_librpyc.py, and prints "ok CASE", or where and why it stopped.
 *
 *     librpyc_user                      names all cases
 *     librpyc_user CASE HOST PORT
 *     librpyc_user CASE PATH            a Unix socket
 */
#include "rpyc.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* ---- What the cases share ------------------------------------------------------------------- */

static const char *the_case, *host, *port;

/* The connection that each case finds made. */
static rpyc_conn *conn;

/* Of the main thread. */
static struct rpyc_error err = RPYC_ERROR_INIT;

/* A case: a function, and its name in the table at the end. */
#define CASE(name) static void name(void)

static void stop(int line, const char *what, const struct rpyc_error *why)
{
    printf("%s, line %d: %s\n", the_case, line, what);
    if (why && why->code != RPYC_OK)
        printf("error %d: %s\n", why->code, why->text);
    if (why && why->remote)
        puts(rpyc_exception_traceback(why->remote));
    exit(1);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            stop(__LINE__, #condition, &err);                                                      \
    } while (0)

/* That a call returns 0. */
#define OK(call) CHECK((call) == 0)

/* That a call fails with this code. */
#define FAILS(call, errcode)                                                                       \
    do {                                                                                           \
        CHECK((call) == -1);                                                                       \
        CHECK(err.code == (errcode));                                                              \
        CHECK(err.text[0] != '\0' && !strchr(err.text, '\n'));                                     \
    } while (0)

/* That a call raises an exception of this class. */
#define RAISES(call, class_name)                                                                   \
    do {                                                                                           \
        FAILS(call, RPYC_EREMOTE);                                                                 \
        CHECK(rpyc_error_is(&err, class_name));                                                    \
    } while (0)

static int connect_anew(rpyc_conn **out, const struct rpyc_options *options)
{
    return port ? rpyc_connect_tcp(out, host, port, options, &err)
                : rpyc_connect_unix(out, host, options, &err);
}

static rpyc_value *eval(const char *text)
{
    rpyc_value *v = NULL;

    if (rpyc_eval(conn, text, &v, &err) < 0)
        stop(__LINE__, text, &err);
    return v;
}

static void execute(const char *text)
{
    if (rpyc_execute(conn, text, &err) < 0)
        stop(__LINE__, text, &err);
}

/* The int in a value that it takes. */
static int64_t take_int(rpyc_value *v)
{
    int64_t n = 0;

    OK(rpyc_int64(v, &n, &err));
    rpyc_unref(v);
    return n;
}

/* Whether a value, which it takes, is this str. */
static bool take_str_is(rpyc_value *v, const char *wanted)
{
    const char *text = rpyc_str(v, NULL);
    bool same = text && strcmp(text, wanted) == 0;

    if (!same)
        printf("wanted \"%s\", got \"%s\"\n", wanted, text ? text : "something else");
    rpyc_unref(v);
    return same;
}

/* Whether an expression is true over there. */
static bool is_true(const char *text)
{
    return take_int(eval(text)) != 0;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until an expression is true over there. */
static void wait_until_true(const char *text)
{
    int64_t deadline = now_ms() + PATIENCE_MS;

    while (!is_true(text)) {
        if (now_ms() > deadline)
            stop(__LINE__, text, NULL);
        poll(NULL, 0, 1);
    }
}

/* ---- A gate: something over there that takes until it is opened ----------------------------- */

struct gate {
    rpyc_conn *other; /* a connection to open it by */
    rpyc_value *event, *wait;
};

/* gate.wait(n) over there returns n once the gate is open. */
static struct gate gate_new(void)
{
    struct gate g = {NULL, NULL, NULL};
    rpyc_value *name;
    char text[128];

    execute("import sys, threading");
    execute("gate = threading.Event()\n"
            "def wait_at_gate(n):\n"
            "    assert gate.wait(60)\n"
            "    return n\n"
            "sys.gates = getattr(sys, 'gates', {})\n"
            "sys.gates[id(gate)] = gate");
    g.wait = eval("wait_at_gate");
    name = eval("str(id(gate))");
    OK(connect_anew(&g.other, NULL));
    snprintf(text, sizeof(text), "__import__('sys').gates.pop(%s)", rpyc_str(name, NULL));
    rpyc_unref(name);
    OK(rpyc_eval(g.other, text, &g.event, &err));
    return g;
}

static void gate_open(struct gate *g)
{
    OK(rpyc_callattr(g->event, "set", NULL, &err, NULL));
}

static void gate_free(struct gate *g)
{
    rpyc_unref(g->wait);
    rpyc_unref(g->event);
    rpyc_close(g->other);
}

/* ---- Connecting ----------------------------------------------------------------------------- */

CASE(says_hello)
{
    rpyc_value *one = eval("1");

    CHECK(take_int(one) == 1);
    OK(rpyc_ping(conn, "abc", 3, &err));
    OK(rpyc_ping(conn, NULL, 0, &err));
    OK(rpyc_ping(conn, NULL, 0, NULL));
}

/* What is there is asked of rpyc itself, where the server is a stock one. */
CASE(finds_out_the_generation)
{
    enum rpyc_generation found = rpyc_conn_generation(conn);
    const struct rpyc_options options = {
        .generation = found,
        .bind_threads = rpyc_conn_envelope(conn).bind_threads,
    };
    rpyc_conn *second = NULL;
    rpyc_value *v;

    execute("import sys");
    v = eval("int(sys.modules['rpyc'].__version__.split('.')[0]) if 'rpyc' in sys.modules else 0");
    CHECK(rpyc_type_of(v) == RPYC_INT);
    switch (take_int(v)) {
    case 5:
        CHECK(found == RPYC_GENERATION_5);
        break;
    default:
        CHECK(found == RPYC_GENERATION_6);
    }
    OK(connect_anew(&second, &options));
    CHECK(rpyc_conn_generation(second) == found);
    OK(rpyc_ping(second, "x", 1, &err));
    rpyc_close(second);
}

/* The first connect finds out; the next ones know. What is no longer true is found out anew. */
CASE(remembers_how_a_server_speaks)
{
    const struct rpyc_envelope here = rpyc_conn_envelope(conn);
    struct rpyc_envelope memory = {0}, found;
    const struct rpyc_options options = {.remembered = &memory};
    enum rpyc_generation g;
    rpyc_conn *second = NULL;
    int bound;

    CHECK(here.generation == rpyc_conn_generation(conn));
    OK(connect_anew(&second, &options));
    CHECK(memory.generation == here.generation && memory.bind_threads == here.bind_threads);
    rpyc_close(second);
    for (g = RPYC_GENERATION_5; g <= RPYC_GENERATION_6; g++) {
        for (bound = 0; bound <= 1; bound++) {
            memory = (struct rpyc_envelope){g, bound};
            OK(connect_anew(&second, &options));
            OK(rpyc_ping(second, "x", 1, &err));
            found = rpyc_conn_envelope(second);
            CHECK(memory.generation == found.generation);
            CHECK(memory.bind_threads == found.bind_threads);
            rpyc_close(second);
        }
    }
}

CASE(takes_a_socket_that_is_connected)
{
    struct rpyc_options options = {.generation = RPYC_GENERATION_AUTO};
    rpyc_conn *second = NULL;
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    rpyc_value *v = NULL;
    int fd;

    OK(getpeername(rpyc_fd(conn), (struct sockaddr *)&address, &len));
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FAILS(rpyc_connect_fd(&second, fd, &options, &err), RPYC_EINVAL);
    CHECK(close(fd) == -1 && errno == EBADF); /* it was taken */
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    OK(connect(fd, (struct sockaddr *)&address, len));
    options.generation = rpyc_conn_generation(conn);
    options.bind_threads = rpyc_conn_envelope(conn).bind_threads;
    OK(rpyc_connect_fd(&second, fd, &options, &err));
    CHECK(rpyc_fd(second) == fd);
    OK(rpyc_eval(second, "6 * 7", &v, &err));
    CHECK(take_int(v) == 42);
    rpyc_close(second);
}

CASE(says_why_it_cannot_connect)
{
    const struct rpyc_options given = {.generation = RPYC_GENERATION_6, .connect_timeout_ms = 50};
    rpyc_conn *none = NULL;
    int pair[2];

    FAILS(rpyc_connect_unix(&none, "/nonexistent/socket", NULL, &err), RPYC_ESYSTEM);
    CHECK(err.sys_errno == ENOENT);
    FAILS(rpyc_connect_unix(&none, "@librpyc-user-nobody", NULL, &err), RPYC_ESYSTEM);
    CHECK(err.sys_errno == ECONNREFUSED);
    FAILS(rpyc_connect_tcp(&none, "127.0.0.1", "no-such-service", NULL, &err), RPYC_ERESOLVE);
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    FAILS(rpyc_connect_fd(&none, pair[0], &given, &err), RPYC_ETIMEOUT);
    close(pair[1]);
    CHECK(none == NULL);
}

CASE(keeps_to_its_options)
{
    const struct rpyc_options options = {.max_frame = 100000, .request_timeout_ms = -1};
    rpyc_conn *small = NULL;
    rpyc_value *v = NULL;

    OK(connect_anew(&small, &options));
    OK(rpyc_eval(small, "'x' * 1000", &v, &err));
    rpyc_unref(v);
    v = NULL;
    FAILS(rpyc_eval(small, "__import__('os').urandom(200000)", &v, &err), RPYC_ELIMIT);
    OK(rpyc_ping(small, "x", 1, &err)); /* it lives */
    CHECK(v == NULL);
    rpyc_close(small);
    rpyc_close(NULL);
}

CASE(is_of_no_use_once_it_is_closed)
{
    rpyc_conn *second = NULL;
    rpyc_value *list = NULL, *v = NULL;
    rpyc_pending *pending = NULL;

    OK(connect_anew(&second, NULL));
    OK(rpyc_eval(second, "[1]", &list, &err));
    OK(rpyc_start_callattr(list, "pop", &pending, &err, NULL));
    rpyc_close(second);
    FAILS(rpyc_pending_wait(pending, 0, NULL, &err), RPYC_ECLOSED);
    rpyc_pending_free(pending);
    FAILS(rpyc_getattr(list, "append", &v, &err), RPYC_ECLOSED);
    FAILS(rpyc_repr(list, &v, NULL), err.code);
    CHECK(strcmp(rpyc_class_name(list), "builtins.list") == 0);
    rpyc_unref(list);
}

CASE(notices_that_the_server_hung_up)
{
    rpyc_conn *second = NULL;
    int64_t deadline = now_ms() + PATIENCE_MS;
    int n;

    OK(connect_anew(&second, NULL));
    CHECK(shutdown(rpyc_fd(second), SHUT_WR) == 0);
    do
        n = rpyc_process(second, 1000, &err);
    while (n >= 0 && now_ms() < deadline);
    CHECK(n == -1);
    CHECK(err.code == RPYC_ECLOSED);
    FAILS(rpyc_ping(second, "x", 1, &err), RPYC_ECLOSED);
    rpyc_close(second);
}

/* ---- Values --------------------------------------------------------------------------------- */

CASE(sends_values_there_and_back)
{
    rpyc_value *same = eval("lambda *a: a if len(a) > 1 else a[0]"), *v = NULL;
    double real = 0, imag = 0;
    int64_t n = 0;
    size_t len = 0;

    OK(rpyc_call(same, &v, &err, "s", "h\303\251"));
    CHECK(take_str_is(v, "h\303\251"));
    OK(rpyc_call(same, &v, &err, "z", "a\0b", (size_t)3));
    CHECK(memcmp(rpyc_str(v, &len), "a\0b", 4) == 0 && len == 3);
    rpyc_unref(v);
    OK(rpyc_call(same, &v, &err, "y", "\0\377", (size_t)2));
    CHECK(rpyc_type_of(v) == RPYC_BYTES);
    CHECK(memcmp(rpyc_bytes(v, &len), "\0\377", 3) == 0 && len == 2);
    rpyc_unref(v);
    OK(rpyc_call(same, &v, &err, "l", INT64_MIN));
    CHECK(take_int(v) == INT64_MIN);
    OK(rpyc_call(same, &v, &err, "u", UINT64_MAX));
    CHECK(strcmp(rpyc_int_digits(v), "18446744073709551615") == 0);
    FAILS(rpyc_int64(v, &n, &err), RPYC_ETYPE);
    rpyc_unref(v);
    OK(rpyc_call(same, &v, &err, "n", "-123456789012345678901234567890"));
    CHECK(strcmp(rpyc_int_digits(v), "-123456789012345678901234567890") == 0);
    rpyc_unref(v);
    OK(rpyc_call(same, &v, &err, "d", -0.1));
    OK(rpyc_double(v, &real, &err));
    CHECK(real == -0.1);
    rpyc_unref(v);
    OK(rpyc_call(same, &v, &err, "c", 1.5, -2.0));
    OK(rpyc_complex(v, &real, &imag, &err));
    CHECK(real == 1.5 && imag == -2.0);
    FAILS(rpyc_double(v, &real, &err), RPYC_ETYPE);
    rpyc_unref(v);
    OK(rpyc_call(same, &v, &err, "bN(){i}[iNb]EX", 1, 3, 1, 0));
    CHECK(rpyc_length(v) == 7);
    CHECK(rpyc_type_of(rpyc_item(v, 0)) == RPYC_BOOL);
    CHECK(rpyc_type_of(rpyc_item(v, 1)) == RPYC_NONE);
    CHECK(rpyc_type_of(rpyc_item(v, 2)) == RPYC_TUPLE);
    CHECK(rpyc_type_of(rpyc_item(v, 3)) == RPYC_FROZENSET);
    CHECK(rpyc_type_of(rpyc_item(v, 4)) == RPYC_SLICE);
    CHECK(rpyc_type_of(rpyc_item(v, 5)) == RPYC_ELLIPSIS);
    CHECK(rpyc_type_of(rpyc_item(v, 6)) == RPYC_NOTIMPLEMENTED);
    CHECK(rpyc_item(v, 7) == NULL);
    rpyc_unref(v);
    rpyc_unref(same);
}

CASE(python_sees_what_c_sent)
{
    rpyc_value *show = eval("lambda *a, **k: repr(a) + repr(sorted(k.items()))"), *v = NULL;
    rpyc_value *tuple = NULL;

    OK(rpyc_build(&tuple, &err, "i(sN)", 1, "two"));
    OK(rpyc_call(show, &v, &err, "O, {i}, [iiN], E, y, key=b, other=(dd)", tuple, 4, 5, 6, "z",
                 (size_t)1, 1, 1.0, 2.5));
    CHECK(take_str_is(v, "((1, ('two', None)), frozenset({4}), slice(5, 6, None), Ellipsis, b'z')"
                         "[('key', True), ('other', (1.0, 2.5))]"));
    OK(rpyc_call(show, &v, &err, NULL));
    CHECK(take_str_is(v, "()[]"));
    OK(rpyc_callattr(show, "__call__", &v, &err, "a=i", 1));
    CHECK(take_str_is(v, "()[('a', 1)]"));
    FAILS(rpyc_call(show, &v, &err, "?"), RPYC_EINVAL);
    FAILS(rpyc_call(show, &v, &err, "s", "\377"), RPYC_EINVAL);
    rpyc_unref(tuple);
    rpyc_unref(show);
}

/* ---- Objects -------------------------------------------------------------------------------- */

CASE(gets_sets_and_deletes_attributes)
{
    rpyc_value *obj, *v = NULL, *seven = NULL;

    execute("class Thing:\n    kind = 'thing'");
    obj = eval("Thing()");
    OK(rpyc_getattr(obj, "kind", &v, &err));
    CHECK(take_str_is(v, "thing"));
    OK(rpyc_build(&seven, &err, "i", 7));
    OK(rpyc_setattr(obj, "size", seven, &err));
    OK(rpyc_getattr(obj, "size", &v, &err));
    CHECK(take_int(v) == 7);
    OK(rpyc_setattr(obj, "itself", obj, &err));
    OK(rpyc_getattr(obj, "itself", &v, &err));
    CHECK(v == obj); /* one object is one netref */
    rpyc_unref(v);
    OK(rpyc_delattr(obj, "size", &err));
    v = NULL;
    RAISES(rpyc_getattr(obj, "size", &v, &err), "AttributeError");
    RAISES(rpyc_delattr(obj, "size", &err), "AttributeError");
    CHECK(v == NULL);
    OK(rpyc_delattr(obj, "itself", &err));
    FAILS(rpyc_getattr(seven, "real", &v, &err), RPYC_ETYPE);
    rpyc_unref(seven);
    rpyc_unref(obj);
}

CASE(calls_methods)
{
    rpyc_value *list = eval("[3, 1, 2]"), *v = NULL;

    OK(rpyc_callattr(list, "sort", NULL, &err, "reverse=b", 1));
    OK(rpyc_repr(list, &v, &err));
    CHECK(take_str_is(v, "[3, 2, 1]"));
    OK(rpyc_callattr(list, "index", &v, &err, "i", 1));
    CHECK(take_int(v) == 2);
    RAISES(rpyc_callattr(list, "index", &v, &err, "i", 9), "ValueError");
    RAISES(rpyc_callattr(list, "no_such_method", &v, &err, NULL), "AttributeError");
    RAISES(rpyc_call(list, &v, &err, NULL), "TypeError");
    rpyc_unref(list);
}

CASE(gets_sets_and_deletes_items)
{
    rpyc_value *list = eval("list(range(10))"), *dict = eval("{}");
    rpyc_value *v = NULL, *index = NULL, *slice = NULL, *key = NULL, *some = NULL;

    OK(rpyc_build(&index, &err, "i", 3));
    OK(rpyc_build(&slice, &err, "[iiN]", 2, 5));
    OK(rpyc_build(&some, &err, "(ss)", "a", "b"));
    OK(rpyc_build(&key, &err, "(is)", 1, "k"));
    OK(rpyc_getitem(list, index, &v, &err));
    CHECK(take_int(v) == 3);
    OK(rpyc_setitem(list, index, key, &err));
    OK(rpyc_setitem(list, slice, some, &err));
    OK(rpyc_tostr(list, &v, &err));
    CHECK(take_str_is(v, "[0, 1, 'a', 'b', 5, 6, 7, 8, 9]"));
    OK(rpyc_getitem(list, slice, &v, &err));
    CHECK(rpyc_type_of(v) == RPYC_NETREF);
    rpyc_unref(v);
    OK(rpyc_delitem(list, slice, &err));
    OK(rpyc_tostr(list, &v, &err));
    CHECK(take_str_is(v, "[0, 1, 6, 7, 8, 9]"));
    OK(rpyc_setitem(dict, key, list, &err));
    OK(rpyc_getitem(dict, key, &v, &err));
    CHECK(v == list);
    rpyc_unref(v);
    OK(rpyc_delitem(dict, key, &err));
    v = NULL;
    RAISES(rpyc_getitem(dict, key, &v, &err), "KeyError");
    rpyc_unref(key);
    OK(rpyc_build(&key, &err, "i", 99));
    RAISES(rpyc_getitem(list, key, &v, &err), "IndexError");
    CHECK(v == NULL);
    rpyc_unref(key);
    rpyc_unref(some);
    rpyc_unref(slice);
    rpyc_unref(index);
    rpyc_unref(dict);
    rpyc_unref(list);
}

CASE(asks_for_length_truth_and_what_is_in_it)
{
    rpyc_value *list = eval("[1, 'two']"), *empty = eval("[]"), *two = NULL, *three = NULL;
    rpyc_value *gen;
    bool yes = false;
    size_t len = 0;

    OK(rpyc_build(&two, &err, "s", "two"));
    OK(rpyc_build(&three, &err, "i", 3));
    OK(rpyc_len(list, &len, &err));
    CHECK(len == 2);
    OK(rpyc_contains(list, two, &yes, &err));
    CHECK(yes);
    OK(rpyc_contains(list, three, &yes, &err));
    CHECK(!yes);
    OK(rpyc_truth(list, &yes, &err));
    CHECK(yes);
    OK(rpyc_truth(empty, &yes, &err));
    CHECK(!yes);
    gen = eval("(i for i in range(5))"); /* has no __contains__ and no __len__ */
    OK(rpyc_contains(gen, three, &yes, &err));
    CHECK(yes);
    FAILS(rpyc_len(gen, &len, &err), RPYC_EREMOTE);
    FAILS(rpyc_len(two, &len, &err), RPYC_ETYPE);
    FAILS(rpyc_contains(two, two, &yes, &err), RPYC_ETYPE);
    rpyc_unref(gen);
    rpyc_unref(two);
    rpyc_unref(three);
    rpyc_unref(empty);
    rpyc_unref(list);
}

CASE(compares_and_hashes)
{
    rpyc_value *a = eval("[1, 2]"), *b = eval("[1, 3]"), *five = NULL, *object = eval("object()");
    const char *const ops[] = {"<", "<=", "==", "!=", ">", ">="};
    const bool less[] = {true, true, false, true, false, false};
    const bool same[] = {false, true, true, false, false, true};
    int64_t hash = 0, again = 0;
    bool yes;
    size_t i;

    for (i = 0; i < 6; i++) {
        OK(rpyc_compare(a, ops[i], b, &yes, &err));
        CHECK(yes == less[i]);
        OK(rpyc_compare(a, ops[i], a, &yes, &err));
        CHECK(yes == same[i]);
    }
    OK(rpyc_build(&five, &err, "i", 5));
    OK(rpyc_compare(a, "==", five, &yes, &err));
    CHECK(!yes);
    RAISES(rpyc_compare(a, "<", five, &yes, &err), "TypeError");
    FAILS(rpyc_compare(a, "<>", b, &yes, &err), RPYC_EINVAL);
    FAILS(rpyc_compare(five, "<", b, &yes, &err), RPYC_ETYPE);
    OK(rpyc_hash(object, &hash, &err));
    OK(rpyc_hash(object, &again, &err));
    CHECK(hash == again);
    RAISES(rpyc_hash(a, &hash, &err), "TypeError");
    rpyc_unref(five);
    rpyc_unref(object);
    rpyc_unref(a);
    rpyc_unref(b);
}

CASE(describes_objects)
{
    rpyc_value *list = eval("['x']"), *v = NULL, *cls = NULL, *other = NULL, *loads = NULL;
    bool yes = false, found = false;
    size_t i;

    OK(rpyc_repr(list, &v, &err));
    CHECK(take_str_is(v, "['x']"));
    OK(rpyc_tostr(list, &v, &err));
    CHECK(take_str_is(v, "['x']"));
    OK(rpyc_dir(list, &v, &err));
    for (i = 0; i < rpyc_length(v); i++)
        found |= strcmp(rpyc_str(rpyc_item(v, i), NULL), "append") == 0;
    CHECK(found);
    rpyc_unref(v);
    OK(rpyc_builtin(conn, "list", &cls, &err));
    OK(rpyc_builtin(conn, "dict", &other, &err));
    OK(rpyc_isinstance(list, cls, &yes, &err));
    CHECK(yes);
    OK(rpyc_isinstance(list, other, &yes, &err));
    CHECK(!yes);
    RAISES(rpyc_isinstance(list, list, &yes, &err), "TypeError");
    rpyc_unref(other);
    CHECK(strcmp(rpyc_class_name(list), "builtins.list") == 0);
    OK(rpyc_pickle(list, 2, &v, &err));
    CHECK(rpyc_type_of(v) == RPYC_BYTES);
    execute("import pickle");
    loads = eval("lambda data: pickle.loads(data) == ['x'] and data[:2] == b'\\x80\\x02'");
    OK(rpyc_call(loads, &other, &err, "O", v));
    CHECK(take_int(other) == 1);
    rpyc_unref(loads);
    rpyc_unref(v);
    rpyc_unref(cls);
    rpyc_unref(list);
}

/* ---- Iteration ------------------------------------------------------------------------------ */

CASE(iterates_over_5000_items)
{
    const char *const texts[] = {"range(5000)", "(i for i in range(5000))",
                                 "{i: None for i in range(5000)}"};
    size_t i;

    for (i = 0; i < 3; i++) {
        rpyc_value *obj = eval(texts[i]), *item = NULL;
        rpyc_iter *iter = NULL;
        int64_t n = 0;
        int result;

        OK(rpyc_iterate(obj, &iter, &err));
        while ((result = rpyc_next(iter, &item, &err)) == 1)
            CHECK(take_int(item) == n++);
        CHECK(result == 0 && n == 5000);
        CHECK(rpyc_next(iter, &item, &err) == 0); /* and that stays so */
        rpyc_iter_free(iter);
        rpyc_unref(obj);
    }
}

CASE(iterates_over_objects_and_stops_early)
{
    rpyc_value *obj = eval("[[i] for i in range(100)]"), *item = NULL, *empty = eval("[]");
    rpyc_iter *iter = NULL;
    size_t len = 0;
    int i;

    OK(rpyc_iterate(obj, &iter, &err));
    for (i = 0; i < 20; i++) {
        CHECK(rpyc_next(iter, &item, &err) == 1);
        OK(rpyc_len(item, &len, &err));
        CHECK(len == 1);
        rpyc_unref(item);
    }
    rpyc_iter_free(iter);
    OK(rpyc_iterate(empty, &iter, &err));
    CHECK(rpyc_next(iter, &item, &err) == 0);
    rpyc_iter_free(iter);
    rpyc_iter_free(NULL);
    rpyc_unref(empty);
    rpyc_unref(obj);
}

CASE(iterates_over_what_raises)
{
    rpyc_value *gen, *item = NULL, *object = eval("object()");
    rpyc_iter *iter = NULL;
    int64_t count = 0;
    int result;

    execute("def gen():\n    yield from range(100)\n    raise LookupError('no more')");
    gen = eval("gen()");
    OK(rpyc_iterate(gen, &iter, &err));
    while ((result = rpyc_next(iter, &item, &err)) == 1)
        CHECK(take_int(item) == count++);
    CHECK(result == -1 && rpyc_error_is(&err, "LookupError"));
    CHECK(strcmp(err.text, "LookupError: no more") == 0);
    rpyc_iter_free(iter);
    RAISES(rpyc_iterate(object, &iter, &err), "TypeError");
    rpyc_unref(object);
    rpyc_unref(gen);
}

/* ---- Context managers ----------------------------------------------------------------------- */

CASE(enters_and_exits)
{
    rpyc_value *obj, *inner = NULL;

    execute("log = []\n"
            "class Manager:\n"
            "    def __enter__(self):\n"
            "        log.append('enter')\n"
            "        return log\n"
            "    def __exit__(self, *args):\n"
            "        log.append(args == (None, None, None))");
    obj = eval("Manager()");
    OK(rpyc_enter(obj, &inner, &err));
    CHECK(strcmp(rpyc_class_name(inner), "builtins.list") == 0);
    CHECK(is_true("log == ['enter']"));
    OK(rpyc_exit(obj, NULL, NULL, &err));
    CHECK(is_true("log == ['enter', True]"));
    rpyc_unref(inner);
    RAISES(rpyc_enter(inner = eval("[]"), NULL, &err), "AttributeError");
    rpyc_unref(inner);
    rpyc_unref(obj);
}

CASE(leaves_a_context_with_an_exception)
{
    rpyc_value *manager, *forgiving, *class = NULL, *exception = NULL, *plain = NULL;
    bool suppressed = true;

    execute("log = []\n"
            "class Manager:\n"
            "    def __init__(self, forgives):\n"
            "        self.forgives = forgives\n"
            "    def __enter__(self):\n"
            "        return self\n"
            "    def __exit__(self, cls, exc, tb):\n"
            "        log.append((cls, exc))\n"
            "        return self.forgives");
    manager = eval("Manager(None)");
    forgiving = eval("Manager(['yes'])");
    OK(rpyc_builtin(conn, "ZeroDivisionError", &class, &err));
    OK(rpyc_call(class, &exception, &err, "s", "by C"));
    OK(rpyc_exit(manager, exception, &suppressed, &err));
    CHECK(!suppressed);
    OK(rpyc_exit(forgiving, exception, &suppressed, &err));
    CHECK(suppressed);
    CHECK(is_true("[c is ZeroDivisionError and e.args == ('by C',) for c, e in log] == "
                  "[True, True]"));
    OK(rpyc_exit(forgiving, exception, NULL, &err));
    OK(rpyc_exit(manager, NULL, &suppressed, &err));
    CHECK(!suppressed);
    CHECK(is_true("log[-1] == (None, None)"));
    OK(rpyc_build(&plain, &err, "s", "ValueError"));
    FAILS(rpyc_exit(manager, plain, NULL, &err), RPYC_ETYPE);
    FAILS(rpyc_exit(plain, exception, NULL, &err), RPYC_ETYPE);
    rpyc_unref(plain);
    rpyc_unref(exception);
    rpyc_unref(class);
    rpyc_unref(forgiving);
    rpyc_unref(manager);
}

CASE(knows_the_truth_of_plain_values)
{
    static const struct {
        const char *text;
        bool truth;
    } values[] = {
        {"None", false},    {"False", false}, {"True", true},         {"0", false},
        {"-7", true},       {"10**30", true}, {"0.0", false},         {"-0.5", true},
        {"0j", false},      {"1j", true},     {"''", false},          {"'\\0'", true},
        {"b''", false},     {"b'x'", true},   {"()", false},          {"(0,)", true},
        {"slice(0)", true}, {"...", true},    {"frozenset()", false}, {"frozenset((0,))", true},
    };
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
        rpyc_value *v = eval(values[i].text);
        bool truth = !values[i].truth;

        OK(rpyc_truth(v, &truth, &err));
        CHECK(truth == values[i].truth);
        rpyc_unref(v);
    }
}

/* ---- Lifetime ------------------------------------------------------------------------------- */

#define MANY 10000

CASE(gives_10000_objects_back)
{
    rpyc_value **held = calloc(MANY, sizeof(*held)), *list;
    rpyc_iter *iter = NULL;
    size_t i;

    execute("gone = []\n"
            "class Counted:\n"
            "    def __del__(self):\n"
            "        gone.append(None)\n"
            "things = [Counted() for i in range(10000)]");
    list = eval("things");
    OK(rpyc_iterate(list, &iter, &err));
    for (i = 0; i < MANY; i++)
        CHECK(rpyc_next(iter, &held[i], &err) == 1);
    rpyc_iter_free(iter);
    rpyc_unref(list);
    execute("del things[:]");
    CHECK(is_true("len(gone) == 0"));
    for (i = 0; i < MANY; i++) {
        CHECK(rpyc_ref(held[i]) == held[i]);
        rpyc_unref(held[i]);
        if (i % 2 == 0)
            rpyc_unref(held[i]);
    }
    wait_until_true("len(gone) == 5000");
    for (i = 1; i < MANY; i += 2)
        rpyc_unref(held[i]);
    wait_until_true("len(gone) == 10000");
    free(held);
}

CASE(gives_back_what_came_more_than_once)
{
    rpyc_value *first, *second = NULL, *get;

    execute("gone = []\n"
            "class Counted:\n"
            "    def __del__(self):\n"
            "        gone.append(None)\n"
            "thing = Counted()\n"
            "def get():\n"
            "    return thing");
    get = eval("get");
    first = eval("thing");
    OK(rpyc_call(get, &second, &err, NULL));
    CHECK(first == second);
    OK(rpyc_call(get, NULL, &err, NULL)); /* a result that nobody wants */
    execute("del thing");
    rpyc_unref(first);
    CHECK(is_true("not gone"));
    rpyc_unref(second);
    wait_until_true("len(gone) == 1");
    rpyc_unref(get);
    rpyc_unref(NULL);
}

/* ---- Without waiting ------------------------------------------------------------------------ */

CASE(has_many_requests_in_flight)
{
    enum { COUNT = 200 };
    rpyc_value *square = eval("lambda n: n * n"), *v = NULL;
    rpyc_pending *pending[COUNT];
    int i;

    for (i = 0; i < COUNT; i++)
        OK(rpyc_start_call(square, &pending[i], &err, "i", i));
    for (i = COUNT - 1; i >= 0; i -= 2) { /* from the last to the first, each second one */
        OK(rpyc_pending_wait(pending[i], 0, &v, &err));
        CHECK(take_int(v) == (int64_t)i * i);
    }
    for (i = 0; i < COUNT; i++) {
        CHECK(i % 2 || rpyc_pending_wait(pending[i], -1, NULL, &err) == 0);
        rpyc_pending_free(pending[i]);
    }
    rpyc_pending_free(NULL);
    rpyc_unref(square);
}

CASE(starts_requests_of_each_kind)
{
    rpyc_value *list = eval("[5]"), *v = NULL, *plain = NULL;
    rpyc_pending *get = NULL, *call = NULL, *bad = NULL, *dropped = NULL, *none = NULL;

    OK(rpyc_start_getattr(list, "__doc__", &get, &err));
    OK(rpyc_start_callattr(list, "index", &call, &err, "i", 5));
    OK(rpyc_start_callattr(list, "index", &bad, &err, "i", 6));
    OK(rpyc_start_callattr(list, "copy", &dropped, &err, NULL));
    rpyc_pending_free(dropped);
    OK(rpyc_pending_wait(get, 0, &v, &err));
    CHECK(rpyc_type_of(v) == RPYC_STR);
    rpyc_unref(v);
    OK(rpyc_pending_wait(call, 0, &v, &err));
    CHECK(take_int(v) == 0);
    CHECK(rpyc_pending_is_done(call));
    FAILS(rpyc_pending_wait(call, 0, &v, &err), RPYC_EINVAL); /* once only */
    v = NULL;
    RAISES(rpyc_pending_wait(bad, 0, &v, &err), "ValueError");
    CHECK(v == NULL);
    rpyc_pending_free(get);
    rpyc_pending_free(call);
    rpyc_pending_free(bad);
    OK(rpyc_build(&plain, &err, "i", 1));
    FAILS(rpyc_start_getattr(plain, "real", &none, &err), RPYC_ETYPE);
    FAILS(rpyc_start_call(plain, &none, &err, NULL), RPYC_ETYPE);
    FAILS(rpyc_start_callattr(list, "index", &none, &err, "?"), RPYC_EINVAL);
    CHECK(none == NULL);
    rpyc_unref(plain);
    rpyc_unref(list);
}

static void count_up(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

CASE(polls_for_a_result)
{
    struct gate gate = gate_new();
    rpyc_pending *pending = NULL;
    atomic_int told = 0;
    rpyc_value *v = NULL;
    int n;

    OK(rpyc_start_call(gate.wait, &pending, &err, "i", 7));
    rpyc_pending_notify(pending, count_up, &told);
    CHECK(rpyc_process(conn, 0, &err) >= 0); /* a symmetric server may have something to say */
    CHECK(!rpyc_pending_is_done(pending) && told == 0);
    gate_open(&gate);
    while (!rpyc_pending_is_done(pending)) {
        struct pollfd ready = {.fd = rpyc_fd(conn), .events = POLLIN};

        CHECK(poll(&ready, 1, PATIENCE_MS) == 1);
        n = rpyc_process(conn, 0, &err);
        CHECK(n >= 0);
    }
    CHECK(told == 1);
    rpyc_pending_notify(pending, count_up, &told); /* at once */
    CHECK(told == 2);
    OK(rpyc_pending_wait(pending, 0, &v, &err));
    CHECK(take_int(v) == 7);
    rpyc_pending_free(pending);
    gate_free(&gate);
}

CASE(waits_again_after_a_timeout)
{
    struct gate gate = gate_new();
    rpyc_pending *pending = NULL;
    rpyc_value *v = NULL;

    OK(rpyc_start_call(gate.wait, &pending, &err, "i", 8));
    FAILS(rpyc_pending_wait(pending, 20, &v, &err), RPYC_ETIMEOUT);
    FAILS(rpyc_pending_wait(pending, 1, &v, &err), RPYC_ETIMEOUT);
    CHECK(rpyc_timeout(conn) == 30000);
    rpyc_set_timeout(conn, 20);
    CHECK(rpyc_timeout(conn) == 20);
    FAILS(rpyc_pending_wait(pending, 0, &v, &err), RPYC_ETIMEOUT);
    FAILS(rpyc_ping(conn, "x", 1, &err), RPYC_ETIMEOUT);
    rpyc_set_timeout(conn, 0);
    CHECK(v == NULL);
    gate_open(&gate);
    OK(rpyc_pending_wait(pending, -1, &v, &err));
    CHECK(take_int(v) == 8);
    rpyc_pending_free(pending);
    OK(rpyc_ping(conn, "y", 1, &err)); /* what came late is not taken for it */
    gate_free(&gate);
}

/* Objects in a result that nobody fetches: because it came after its wait was given up, or because
 * it was not wanted after all. */
CASE(gives_back_what_nobody_waits_for)
{
    struct gate gate = gate_new();
    rpyc_pending *late = NULL, *unwanted = NULL;
    rpyc_value *make;

    execute("import weakref\n"
            "made = []\n"
            "class Thing:\n"
            "    pass\n"
            "def make(wait):\n"
            "    wait(0)\n"
            "    one, two = Thing(), Thing()\n"
            "    made.extend((weakref.ref(one), weakref.ref(two)))\n"
            "    return one, ((1, 'x'), two), one");
    make = eval("lambda: make(wait_at_gate)");
    OK(rpyc_start_call(make, &late, &err, NULL));
    FAILS(rpyc_pending_wait(late, 1, NULL, &err), RPYC_ETIMEOUT);
    rpyc_pending_free(late);
    gate_open(&gate);
    wait_until_true("len(made) == 2 and made[0]() is made[1]() is None");
    OK(rpyc_start_call(make, &unwanted, &err, NULL));
    while (!rpyc_pending_is_done(unwanted))
        OK(rpyc_ping(conn, "x", 1, &err));
    CHECK(is_true("made[2]() is not None"));
    rpyc_pending_free(unwanted);
    wait_until_true("len(made) == 4 and made[2]() is made[3]() is None");
    rpyc_unref(make);
    gate_free(&gate);
}

static void *cancel(void *pending)
{
    rpyc_pending_cancel(pending);
    return NULL;
}

CASE(is_cancelled_by_another_thread)
{
    struct gate gate = gate_new();
    rpyc_pending *pending = NULL;
    pthread_t thread;
    rpyc_value *v = NULL;

    OK(rpyc_start_call(gate.wait, &pending, &err, "i", 9));
    CHECK(pthread_create(&thread, NULL, cancel, pending) == 0);
    FAILS(rpyc_pending_wait(pending, PATIENCE_MS, &v, &err), RPYC_ECANCELED);
    pthread_join(thread, NULL);
    CHECK(v == NULL);
    rpyc_pending_free(pending);
    gate_open(&gate);
    OK(rpyc_ping(conn, "x", 1, &err));
    gate_free(&gate);
}

/* ---- Callbacks ------------------------------------------------------------------------------ */

static int twice(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                 struct rpyc_error *e)
{
    int64_t n;

    (void)kwargs;
    if (arg)
        count_up(arg);
    if (rpyc_length(args) != 1)
        return rpyc_raise(e, "TypeError", "twice takes one argument, not %zu", rpyc_length(args));
    if (rpyc_int64(rpyc_item(args, 0), &n, e) < 0)
        return -1;
    if (n == -13)
        return rpyc_raise(e, "KeyError", "no %s", "thirteen");
    return rpyc_build(out, e, "l", 2 * n);
}

/* Its arguments, as they came: ((...), ((name, value), ...)). */
static int echo(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                struct rpyc_error *e)
{
    (void)arg;
    return rpyc_build(out, e, "(OO)", args, kwargs);
}

static rpyc_value *function(rpyc_function_fn f, void *arg)
{
    rpyc_value *v = NULL;

    OK(rpyc_function(&v, f, arg, &err));
    CHECK(rpyc_type_of(v) == RPYC_OBJECT);
    CHECK(rpyc_object_self(v) == NULL);
    return v;
}

CASE(is_called_back)
{
    atomic_int called = 0;
    rpyc_value *f = function(twice, &called), *use = eval("lambda f: [f(n) for n in range(50)]");
    rpyc_value *v = NULL, *g = function(echo, NULL), *list = eval("[1]");

    OK(rpyc_call(use, &v, &err, "O", f));
    CHECK(called == 50);
    rpyc_unref(v);
    rpyc_unref(use);
    use = eval("lambda g, o: g(1, 'two', None, o, key=(1.5,), obj=o) == "
               "((1, 'two', None, o), (('key', (1.5,)), ('obj', o)))");
    OK(rpyc_call(use, &v, &err, "OO", g, list));
    CHECK(take_int(v) == 1);
    rpyc_unref(use);
    use = eval("lambda f: list(map(f, sorted([3, 1, 2], key=f))) == [2, 4, 6]");
    OK(rpyc_call(use, &v, &err, "O", f));
    CHECK(take_int(v) == 1);
    rpyc_unref(use);
    use = eval("lambda f: f");
    OK(rpyc_call(use, &v, &err, "O", f));
    CHECK(v == f); /* and not a netref */
    rpyc_unref(v);
    rpyc_unref(list);
    rpyc_unref(use);
    rpyc_unref(g);
    rpyc_unref(f);
}

CASE(raises_in_both_directions)
{
    rpyc_value *f = function(twice, NULL), *use, *v = NULL;

    execute("def catch(f, *a):\n"
            "    try:\n"
            "        f(*a)\n"
            "    except Exception as e:\n"
            "        return type(e).__name__, e.args[0]");
    use = eval("catch");
    OK(rpyc_call(use, &v, &err, "Oi", f, -13));
    CHECK(strcmp(rpyc_str(rpyc_item(v, 0), NULL), "KeyError") == 0);
    CHECK(strcmp(rpyc_str(rpyc_item(v, 1), NULL), "no thirteen") == 0);
    rpyc_unref(v);
    OK(rpyc_call(use, &v, &err, "Os", f, "x"));
    CHECK(strcmp(rpyc_str(rpyc_item(v, 0), NULL), "TypeError") == 0);
    CHECK(strcmp(rpyc_str(rpyc_item(v, 1), NULL), "expected int, got str") == 0);
    rpyc_unref(v);
    rpyc_unref(use);
    use = eval("lambda f, *a: f(*a)");
    RAISES(rpyc_call(use, &v, &err, "Oi", f, -13), "KeyError");
    CHECK(strstr(err.text, "no thirteen") != NULL);
    RAISES(rpyc_call(use, &v, &err, "O", f), "TypeError");
    CHECK(strstr(err.text, "twice takes one argument, not 0") != NULL);
    rpyc_unref(use);
    rpyc_unref(f);
}

/* What raises an exception, and the text is what the last line of Python's traceback is, but for
 * the module of the class; and for what of a SyntaxError that shows in lines of its own. */
static const char *const raising[] = {
    "1 / 0",
    "{}['x']",
    "{}[1, 'y']",
    "[][7]",
    "int('x')",
    "None.x",
    "undefined",
    "open('/nonexistent/file')",
    "__import__('os').rename('/nonexistent/a', '/nonexistent/b')",
    "__import__('os').listdir(b'/nonexistent')",
    "__import__('no_such_module')",
    "b'a\\xff'.decode()",
    "'\\u20ac'.encode('ascii')",
    "'\\xe9\\xe9'.encode('ascii')",
    "__import__('json').loads('{')",
    "__import__('subprocess').check_call(['false'])",
    "__import__('socket').getaddrinfo('256.256.256.256', 1)",
    "throw(ValueError())",
    "throw(ValueError('a', 1, 0.1, 1e16, None, b'\\x00'))",
    "throw(ValueError(('a',)))",
    "throw(StopIteration())",
    "throw(SystemExit(3))",
    "throw(Custom(7))",
};

CASE(exceptions_have_the_text_that_python_gives_them)
{
    rpyc_value *say, *text = NULL, *number = NULL;
    char code[256];

    execute("import traceback\n"
            "class Custom(Exception):\n"
            "    def __str__(self):\n"
            "        return 'code %d' % self.args\n"
            "def throw(e):\n"
            "    raise e\n"
            "def say(code):\n"
            "    try:\n"
            "        eval(code)\n"
            "    except BaseException as e:\n"
            "        line = traceback.format_exception_only(type(e), e)[-1].strip()\n"
            "        module = type(e).__module__ + '.'\n"
            "        return line[len(module):] if line.startswith(module) else line");
    say = eval("say");
    for (size_t i = 0; i < sizeof(raising) / sizeof(*raising); i++) {
        OK(rpyc_call(say, &text, &err, "s", raising[i]));
        CHECK(rpyc_eval(conn, raising[i], NULL, &err) < 0);
        CHECK(err.code == RPYC_EREMOTE);
        if (strcmp(err.text, rpyc_str(text, NULL)) != 0) {
            fprintf(stderr, "%s\nwanted: %s\nfound:  %s\n", raising[i], rpyc_str(text, NULL),
                    err.text);
            exit(1);
        }
        rpyc_error_clear(&err);
        rpyc_unref(text);
    }
    snprintf(code, sizeof(code), "compile('x = (1 +', '/a/b.py', 'exec')");
    RAISES(rpyc_eval(conn, code, NULL, &err), "SyntaxError");
    CHECK(strncmp(err.text, "SyntaxError: ", 13) == 0);
    CHECK(strstr(err.text, " (b.py, line 1): x = (1 +") != NULL);
    number = eval("__import__('decimal').Decimal(1)");
    CHECK(rpyc_double(number, &(double){0}, &err) < 0);
    CHECK(strcmp(err.text, "expected float, got decimal.Decimal") == 0);
    rpyc_unref(number);
    rpyc_unref(say);
}

/* Calls the Python function in its first argument with itself and one less than its second. */
static int descend(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                   struct rpyc_error *e)
{
    rpyc_value **self = arg;
    int64_t n;

    (void)kwargs;
    if (rpyc_int64(rpyc_item(args, 1), &n, e) < 0)
        return -1;
    return rpyc_call(rpyc_item(args, 0), out, e, "Ol", *self, n - 1);
}

CASE(is_called_back_within_callbacks)
{
    rpyc_value *self = NULL, *down, *v = NULL;

    execute("def down(f, n):\n"
            "    return 0 if n <= 0 else 2 + f(down, n)\n"
            "def fail(f, n):\n"
            "    if n <= 0:\n"
            "        raise LookupError('bottom')\n"
            "    return f(fail, n)");
    self = function(descend, &self);
    down = eval("down");
    OK(rpyc_call(down, &v, &err, "Oi", self, 10));
    CHECK(take_int(v) == 20);
    rpyc_unref(down);
    down = eval("fail");
    RAISES(rpyc_call(down, &v, &err, "Oi", self, 5), "LookupError");
    CHECK(strstr(err.text, "bottom") != NULL);
    OK(rpyc_ping(conn, "x", 1, &err));
    rpyc_unref(down);
    rpyc_unref(self);
}

/* An object with an attribute "size" that can be set and deleted, and two methods. */
struct box {
    int64_t size;
    bool has_size;
    atomic_int destroyed;
};

static int box_getattr(void *self, const char *name, rpyc_value **out, struct rpyc_error *e)
{
    struct box *box = self;

    if (strcmp(name, "size") == 0 && box->has_size)
        return rpyc_build(out, e, "l", box->size);
    return rpyc_raise(e, "AttributeError", "a box has no %s", name);
}

static int box_setattr(void *self, const char *name, rpyc_value *value, struct rpyc_error *e)
{
    struct box *box = self;

    if (strcmp(name, "size") != 0)
        return rpyc_raise(e, "AttributeError", "a box has no %s", name);
    box->has_size = value != NULL;
    return value ? rpyc_int64(value, &box->size, e) : 0;
}

static int box_call(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                    rpyc_value **out, struct rpyc_error *e)
{
    struct box *box = self;

    if (!method)
        return rpyc_build(out, e, "(sOO)", "called", args, kwargs);
    if (strcmp(method, "__len__") == 0)
        return rpyc_build(out, e, "l", box->size);
    return rpyc_build(out, e, "(sO)", method, args);
}

static int box_str(void *self, rpyc_value **out, struct rpyc_error *e)
{
    (void)self;
    return rpyc_build(out, e, "s", "a box");
}

static void box_destroy(void *self)
{
    struct box *box = self;

    atomic_fetch_add(&box->destroyed, 1);
}

static const char *const box_methods[] = {"__len__", "shake", NULL};

static const struct rpyc_ops box_ops = {
    .class_name = "user.Box",
    .methods = box_methods,
    .getattr = box_getattr,
    .setattr = box_setattr,
    .call = box_call,
    .str = box_str,
    .destroy = box_destroy,
};

CASE(shows_objects_of_its_own)
{
    struct box box = {.size = 3, .has_size = true};
    rpyc_value *obj = NULL, *use, *v = NULL;

    OK(rpyc_object(&obj, &box_ops, &box, &err));
    CHECK(rpyc_object_self(obj) == &box);
    CHECK(rpyc_type_of(obj) == RPYC_OBJECT);
    CHECK(rpyc_class_name(obj) == NULL);
    execute("def use(o):\n"
            "    assert o.size == 3, o.size\n"
            "    o.size = 4\n"
            "    assert o.size == 4 and len(o) == 4\n"
            "    del o.size\n"
            "    assert not hasattr(o, 'size')\n"
            "    assert not hasattr(o, 'weight')\n"
            "    try:\n"
            "        o.weight = 1\n"
            "    except AttributeError as e:\n"
            "        assert 'a box has no weight' in str(e), e\n"
            "    else:\n"
            "        assert False\n"
            "    assert o.shake(1, 2) == ('shake', (1, 2)), o.shake(1, 2)\n"
            "    shake = o.shake\n"
            "    assert shake() == ('shake', ()), shake()\n"
            "    assert o(5, k=6) == ('called', (5,), (('k', 6),))\n"
            "    assert str(o) == repr(o) == 'a box', (str(o), repr(o))\n"
            "    assert o == o and not o != o and o != 5\n"
            "    assert hash(o) == hash(o) and {o: 1}[o] == 1\n"
            "    assert 'shake' in dir(o), dir(o)\n"
            "    assert type(o).__name__.endswith('Box'), type(o)\n"
            "    return True");
    use = eval("use");
    OK(rpyc_call(use, &v, &err, "O", obj));
    CHECK(take_int(v) == 1);
    rpyc_unref(use);
    CHECK(box.destroyed == 0);
    rpyc_unref(obj);
    execute("import gc\ngc.collect()");
    while (box.destroyed == 0) {
        CHECK(rpyc_process(conn, PATIENCE_MS, &err) > 0);
    }
    CHECK(box.destroyed == 1);
}

CASE(is_destroyed_when_the_connection_is_closed)
{
    struct box box = {.size = 1};
    rpyc_value *obj = NULL, *list = NULL;
    rpyc_conn *second = NULL;

    OK(connect_anew(&second, NULL));
    OK(rpyc_eval(second, "[]", &list, &err));
    OK(rpyc_object(&obj, &box_ops, &box, &err));
    OK(rpyc_callattr(list, "append", NULL, &err, "O", obj));
    rpyc_unref(obj);
    rpyc_unref(list);
    CHECK(box.destroyed == 0);
    rpyc_close(second);
    CHECK(box.destroyed == 1);
    OK(rpyc_object(&obj, &box_ops, &box, &err)); /* one that nobody was shown */
    rpyc_unref(obj);
    CHECK(box.destroyed == 2);
}

/* Calls f from a thread of the server's own. */
static void call_from_a_thread(rpyc_value *f)
{
    rpyc_value *start;

    execute("import threading\n"
            "def run(f):\n"
            "    try:\n"
            "        f(3)\n"
            "    except EOFError:\n"
            "        pass  # it hung up before it answered\n"
            "def start(f):\n"
            "    threading.Thread(target=run, args=(f,), daemon=True).start()");
    start = eval("start");
    OK(rpyc_call(start, NULL, &err, "O", f));
    rpyc_unref(start);
}

CASE(is_called_back_while_it_polls)
{
    int64_t deadline = now_ms() + PATIENCE_MS;
    atomic_int called = 0;
    rpyc_value *f = function(twice, &called);

    call_from_a_thread(f);
    while (called == 0 && now_ms() < deadline)
        CHECK(rpyc_process(conn, 100, &err) >= 0);
    CHECK(called == 1);
    OK(rpyc_ping(conn, "x", 1, &err));
    rpyc_unref(f);
}

/* Ends the connection for the other side once the callback was there. */
static void *hang_up_once_called(void *called)
{
    int64_t deadline = now_ms() + PATIENCE_MS;

    while (atomic_load((atomic_int *)called) == 0 && now_ms() < deadline)
        poll(NULL, 0, 1);
    shutdown(rpyc_fd(conn), SHUT_WR);
    return NULL;
}

CASE(serves_until_the_server_hangs_up)
{
    atomic_int called = 0;
    rpyc_value *f = function(twice, &called);
    pthread_t thread;

    call_from_a_thread(f);
    CHECK(pthread_create(&thread, NULL, hang_up_once_called, &called) == 0);
    OK(rpyc_serve(conn, &err));
    CHECK(called == 1);
    pthread_join(thread, NULL);
    rpyc_unref(f);
}

/* ---- Threads -------------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    int number;
    rpyc_value *use; /* borrowed */
    int wrong;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct rpyc_error e = RPYC_ERROR_INIT;
    atomic_int called = 0;
    int64_t i, n;

    for (i = 0; i < 50; i++) {
        rpyc_value *f = NULL, *v = NULL, *list = NULL;
        int64_t wanted = 2 * (w->number * 1000 + i);

        w->wrong += rpyc_function(&f, twice, &called, &e) < 0 ||
                    rpyc_call(w->use, &v, &e, "Ol", f, wanted / 2) < 0 ||
                    rpyc_int64(rpyc_item(v, 0), &n, &e) < 0 || n != wanted ||
                    !(list = rpyc_ref(rpyc_item(v, 1))) ||
                    rpyc_callattr(list, "pop", NULL, &e, NULL) < 0;
        if (v)
            rpyc_unref(v);
        rpyc_unref(list);
        rpyc_unref(f);
    }
    w->wrong += called != 50;
    if (w->wrong)
        printf("thread %d: %s\n", w->number, e.text);
    rpyc_error_clear(&e);
    return NULL;
}

CASE(is_used_by_several_threads)
{
    rpyc_value *use = eval("lambda f, n: (f(n), [n])");
    struct worker workers[8];
    int i;

    for (i = 0; i < 8; i++) {
        workers[i] = (struct worker){.number = i, .use = use};
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (i = 0; i < 8; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(workers[i].wrong == 0);
    }
    OK(rpyc_ping(conn, "x", 1, &err));
    rpyc_unref(use);
}

/* ---- The classic service -------------------------------------------------------------------- */

CASE(knows_the_classic_service)
{
    rpyc_value *root = NULL, *path = NULL, *v = NULL, *names = NULL, *key = NULL, *len = NULL;
    bool yes = false;

    OK(rpyc_root(conn, &root, &err));
    CHECK(rpyc_type_of(root) == RPYC_NETREF);
    OK(rpyc_callattr(root, "eval", &v, &err, "s", "1 + 1"));
    CHECK(take_int(v) == 2);
    OK(rpyc_module(conn, "os.path", &path, &err));
    OK(rpyc_callattr(path, "basename", &v, &err, "s", "/a/b"));
    CHECK(take_str_is(v, "b"));
    v = NULL;
    RAISES(rpyc_module(conn, "no_such_module", &v, &err), "ModuleNotFoundError");
    OK(rpyc_has_module(conn, "os.path", &yes, &err));
    CHECK(yes);
    OK(rpyc_has_module(conn, "no_such_module", &yes, &err));
    CHECK(!yes);
    OK(rpyc_has_module(conn, "no_such_module.at_all", &yes, &err));
    CHECK(!yes);
    OK(rpyc_builtin(conn, "len", &len, &err));
    OK(rpyc_call(len, &v, &err, "s", "four"));
    CHECK(take_int(v) == 4);
    v = NULL;
    RAISES(rpyc_builtin(conn, "no_such_builtin", &v, &err), "AttributeError");
    OK(rpyc_execute(conn, "answer = 42", &err));
    OK(rpyc_namespace(conn, &names, &err));
    OK(rpyc_build(&key, &err, "s", "answer"));
    OK(rpyc_getitem(names, key, &v, &err));
    CHECK(take_int(v) == 42);
    v = NULL;
    RAISES(rpyc_execute(conn, "raise OverflowError", &err), "OverflowError");
    RAISES(rpyc_eval(conn, "1 +", &v, &err), "SyntaxError");
    CHECK(v == NULL);
    rpyc_unref(key);
    rpyc_unref(names);
    rpyc_unref(len);
    rpyc_unref(path);
    rpyc_unref(root);
}

/* ---- Errors --------------------------------------------------------------------------------- */

CASE(says_all_about_an_exception)
{
    rpyc_value *args, *code;

    execute("class Trouble(Exception):\n"
            "    def __init__(self, text, code):\n"
            "        super().__init__(text, code)\n"
            "        self.code = code\n"
            "Trouble.__module__ = 'some.where'\n"
            "def fall():\n"
            "    raise Trouble('deep', 7)");
    FAILS(rpyc_eval(conn, "fall()", NULL, &err), RPYC_EREMOTE);
    CHECK(strcmp(rpyc_exception_module(err.remote), "some.where") == 0);
    CHECK(strcmp(rpyc_exception_name(err.remote), "Trouble") == 0);
    CHECK(strstr(rpyc_exception_traceback(err.remote), "fall") != NULL);
    args = rpyc_exception_args(err.remote);
    CHECK(rpyc_length(args) == 2);
    CHECK(strcmp(rpyc_str(rpyc_item(args, 0), NULL), "deep") == 0);
    CHECK(take_int(rpyc_ref(rpyc_item(args, 1))) == 7);
    code = rpyc_exception_attribute(err.remote, "code");
    CHECK(code && take_int(rpyc_ref(code)) == 7);
    CHECK(rpyc_exception_attribute(err.remote, "no_such_attribute") == NULL);
    CHECK(rpyc_error_is(&err, "some.where.Trouble"));
    CHECK(!rpyc_error_is(&err, "Trouble") && !rpyc_error_is(&err, "Exception"));
    RAISES(rpyc_eval(conn, "{}['key']", NULL, &err), "KeyError");
    CHECK(strcmp(err.text, "KeyError: 'key'") == 0);
    CHECK(rpyc_error_is(&err, "builtins.KeyError"));
    CHECK(rpyc_eval(conn, "1 / 0", NULL, NULL) == -1);
    RAISES(rpyc_eval(conn, "next(iter([]))", NULL, &err), "StopIteration");
    CHECK(rpyc_length(rpyc_exception_args(err.remote)) == 0);
    rpyc_error_clear(&err);
    CHECK(err.code == RPYC_OK && err.remote == NULL && err.text[0] == '\0');
    rpyc_error_clear(NULL);
}

CASE(refuses_what_makes_no_sense)
{
    rpyc_value *list = eval("[]"), *other_list = NULL, *v = NULL;
    rpyc_conn *other = NULL;

    OK(connect_anew(&other, NULL));
    OK(rpyc_eval(other, "[]", &other_list, &err));
    FAILS(rpyc_callattr(list, "append", NULL, &err, "O", other_list), RPYC_EINVAL);
    FAILS(rpyc_setattr(list, "x", other_list, &err), RPYC_EINVAL);
    FAILS(rpyc_build(&v, &err, "(i", 1), RPYC_EINVAL);
    FAILS(rpyc_build(&v, &err, "n", "12x"), RPYC_EINVAL);
    CHECK(v == NULL);
    OK(rpyc_ping(conn, "x", 1, &err));
    rpyc_unref(other_list);
    rpyc_close(other);
    rpyc_unref(list);
}

/* ---- Running them --------------------------------------------------------------------------- */

/* clang-format off */
#define ENTRY(name) {#name, name}
/* clang-format on */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    ENTRY(says_hello),
    ENTRY(finds_out_the_generation),
    ENTRY(remembers_how_a_server_speaks),
    ENTRY(takes_a_socket_that_is_connected),
    ENTRY(says_why_it_cannot_connect),
    ENTRY(keeps_to_its_options),
    ENTRY(is_of_no_use_once_it_is_closed),
    ENTRY(notices_that_the_server_hung_up),
    ENTRY(sends_values_there_and_back),
    ENTRY(python_sees_what_c_sent),
    ENTRY(gets_sets_and_deletes_attributes),
    ENTRY(calls_methods),
    ENTRY(gets_sets_and_deletes_items),
    ENTRY(asks_for_length_truth_and_what_is_in_it),
    ENTRY(compares_and_hashes),
    ENTRY(describes_objects),
    ENTRY(iterates_over_5000_items),
    ENTRY(iterates_over_objects_and_stops_early),
    ENTRY(iterates_over_what_raises),
    ENTRY(enters_and_exits),
    ENTRY(leaves_a_context_with_an_exception),
    ENTRY(knows_the_truth_of_plain_values),
    ENTRY(gives_10000_objects_back),
    ENTRY(gives_back_what_came_more_than_once),
    ENTRY(has_many_requests_in_flight),
    ENTRY(starts_requests_of_each_kind),
    ENTRY(polls_for_a_result),
    ENTRY(waits_again_after_a_timeout),
    ENTRY(gives_back_what_nobody_waits_for),
    ENTRY(is_cancelled_by_another_thread),
    ENTRY(is_called_back),
    ENTRY(raises_in_both_directions),
    ENTRY(exceptions_have_the_text_that_python_gives_them),
    ENTRY(is_called_back_within_callbacks),
    ENTRY(shows_objects_of_its_own),
    ENTRY(is_destroyed_when_the_connection_is_closed),
    ENTRY(is_called_back_while_it_polls),
    ENTRY(serves_until_the_server_hangs_up),
    ENTRY(is_used_by_several_threads),
    ENTRY(knows_the_classic_service),
    ENTRY(says_all_about_an_exception),
    ENTRY(refuses_what_makes_no_sense),
};

#define CASES (sizeof(cases) / sizeof(*cases))

static void list_cases(void)
{
    size_t i;

    for (i = 0; i < CASES; i++)
        puts(cases[i].name);
}

static int run(size_t i)
{
    the_case = cases[i].name;
    OK(connect_anew(&conn, NULL));
    cases[i].run();
    rpyc_close(conn);
    rpyc_error_clear(&err);
    printf("ok %s\n", the_case);
    return 0;
}

int main(int argc, char **argv)
{
    size_t i;

    if (argc < 3) {
        list_cases();
        return 0;
    }
    host = argv[2];
    port = argc > 3 ? argv[3] : NULL;
    for (i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, argv[1]) == 0)
            return run(i);
    }
    fprintf(stderr, "no such case: %s\n", argv[1]);
    return 2;
}
