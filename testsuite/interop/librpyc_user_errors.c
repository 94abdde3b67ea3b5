/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Errors, and several threads.
 */
#include "librpyc_user.h"

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

CASE(refuses_invalid_arguments)
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
