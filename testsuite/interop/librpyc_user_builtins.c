/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Iteration, context managers and truth.
 */
#include "librpyc_user.h"

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
        CHECK(rpyc_next(iter, &item, &err) == 0); /* also the next time */
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
