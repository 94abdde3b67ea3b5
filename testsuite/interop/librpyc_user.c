/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A C program that uses librpyc by rpyc.h alone. It runs one case against a server, for
 * test_librpyc.py, and prints "ok CASE", or where and why the case failed.
 *
 *     librpyc_user                      lists all cases
 *     librpyc_user CASE HOST PORT
 *     librpyc_user CASE PATH            uses a Unix socket
 */
#include "librpyc_user.h"

const char *the_case, *host, *port;
rpyc_conn *conn;
struct rpyc_error err = RPYC_ERROR_INIT;

static struct user_case *cases;

void case_add(struct user_case *one)
{
    one->next = cases;
    cases = one;
}

void stop(int line, const char *what, const struct rpyc_error *why)
{
    printf("%s, line %d: %s\n", the_case, line, what);
    if (why && why->code != RPYC_OK)
        printf("error %d: %s\n", why->code, why->text);
    if (why && why->remote)
        puts(rpyc_exception_traceback(why->remote));
    exit(1);
}

int connect_anew(rpyc_conn **out, const struct rpyc_options *options)
{
    return port ? rpyc_connect_tcp(out, host, port, options, &err)
                : rpyc_connect_unix(out, host, options, &err);
}

rpyc_value *eval(const char *text)
{
    rpyc_value *v = NULL;

    if (rpyc_eval(conn, text, &v, &err) < 0)
        stop(__LINE__, text, &err);
    return v;
}

void execute(const char *text)
{
    if (rpyc_execute(conn, text, &err) < 0)
        stop(__LINE__, text, &err);
}

int64_t take_int(rpyc_value *v)
{
    int64_t n = 0;

    OK(rpyc_int64(v, &n, &err));
    rpyc_unref(v);
    return n;
}

bool take_str_is(rpyc_value *v, const char *wanted)
{
    const char *text = rpyc_str(v, NULL);
    bool same = text && strcmp(text, wanted) == 0;

    if (!same)
        printf("wanted \"%s\", got \"%s\"\n", wanted, text ? text : "something else");
    rpyc_unref(v);
    return same;
}

bool is_true(const char *text)
{
    return take_int(eval(text)) != 0;
}

int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wait_until_true(const char *text)
{
    int64_t deadline = now_ms() + PATIENCE_MS;

    while (!is_true(text)) {
        if (now_ms() > deadline)
            stop(__LINE__, text, NULL);
        poll(NULL, 0, 1);
    }
}

rpyc_value *function(rpyc_function_fn f, void *arg)
{
    rpyc_value *v = NULL;

    OK(rpyc_function(&v, f, arg, &err));
    CHECK(rpyc_type_of(v) == RPYC_OBJECT);
    CHECK(rpyc_object_self(v) == NULL);
    return v;
}

struct gate gate_new(void)
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

void gate_open(struct gate *g)
{
    OK(rpyc_callattr(g->event, "set", NULL, &err, NULL));
}

void gate_free(struct gate *g)
{
    rpyc_unref(g->wait);
    rpyc_unref(g->event);
    rpyc_close(g->other);
}

int twice(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out, struct rpyc_error *e)
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

void count_up(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static int run(const struct user_case *one)
{
    the_case = one->name;
    OK(connect_anew(&conn, NULL));
    one->run();
    rpyc_close(conn);
    rpyc_error_clear(&err);
    printf("ok %s\n", the_case);
    return 0;
}

int main(int argc, char **argv)
{
    const struct user_case *one;

    if (argc < 3) {
        for (one = cases; one; one = one->next)
            puts(one->name);
        return 0;
    }
    host = argv[2];
    port = argc > 3 ? argv[3] : NULL;
    for (one = cases; one; one = one->next) {
        if (strcmp(one->name, argv[1]) == 0)
            return run(one);
    }
    fprintf(stderr, "no such case: %s\n", argv[1]);
    return 2;
}
