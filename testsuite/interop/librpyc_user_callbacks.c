/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Functions and objects of the C program that the server uses.
 */
#include "librpyc_user.h"

/* Returns its arguments: ((...), ((name, value), ...)). */
static int echo(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                struct rpyc_error *e)
{
    (void)arg;
    return rpyc_build(out, e, "(OO)", args, kwargs);
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
    CHECK(v == f); /* f itself, not a netref */
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

/* Code that raises an exception, and the text of the error: the last line of Python's traceback
 * without the module of the class, and of a SyntaxError also what is on other lines. */
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

/* Calls the Python function args[0] with two arguments: itself, and args[1] - 1. */
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
    OK(rpyc_object(&obj, &box_ops, &box, &err)); /* an object that was not sent */
    rpyc_unref(obj);
    CHECK(box.destroyed == 2);
}

/* Calls f from a new thread of the server. */
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

/* Ends the server's side of the connection after the callback was called. */
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
