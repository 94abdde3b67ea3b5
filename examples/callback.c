/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lets Python in another process call a C function, once for each of some numbers:
 *
 *     callback localhost 6666
 *
 * If that process has numpy, it runs numpy.vectorize(f)(numpy.linspace(0, 1, 5)), else map(f, ...).
 */
#include <stdio.h>

#include <rpyc.h>

struct tally {
    int calls;
};

/* f(x) = x**2 + 1. librpyc calls it on the thread that waits for a reply. args is a tuple. Returns
 * 0 and sets *out to a new reference, which the library takes; or returns -1 and fills err, which
 * becomes an exception in the Python program. */
static int polynomial(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                      struct rpyc_error *err)
{
    struct tally *tally = arg;
    double x;

    tally->calls++;
    if (rpyc_length(args) != 1 || rpyc_length(kwargs) != 0)
        return rpyc_raise(err, "TypeError", "polynomial takes one number");
    if (rpyc_double(rpyc_item(args, 0), &x, err) < 0)
        return -1; /* if the argument is not a number, err is a TypeError already */
    return rpyc_build(out, err, "d", x * x + 1);
}

/* Sets *out to a list of results. Sends the work as Python code, which needs fewer round trips than
 * one call for each step. The function is an argument of this code. */
static int apply(rpyc_conn *conn, rpyc_value *function, rpyc_value **out, struct rpyc_error *err)
{
    static const char *const with_numpy =
        "lambda f: __import__('numpy').vectorize(lambda x: f(float(x)), otypes=[float])("
        "__import__('numpy').linspace(0, 1, 5)).tolist()";
    static const char *const without = "lambda f: list(map(f, [0.0, 0.25, 0.5, 0.75, 1.0]))";
    rpyc_value *code = NULL;
    bool has_numpy;
    int result;

    if (rpyc_has_module(conn, "numpy", &has_numpy, err) < 0 ||
        rpyc_eval(conn, has_numpy ? with_numpy : without, &code, err) < 0)
        return -1;
    result = rpyc_call(code, out, err, "O", function);
    rpyc_unref(code);
    return result;
}

static int print_numbers(rpyc_value *list, struct rpyc_error *err)
{
    rpyc_value *item = NULL;
    rpyc_iter *iter = NULL;
    double number;
    int more;

    if (rpyc_iterate(list, &iter, err) < 0)
        return -1;
    while ((more = rpyc_next(iter, &item, err)) > 0) {
        if (rpyc_double(item, &number, err) == 0)
            printf("%g\n", number);
        rpyc_unref(item);
    }
    rpyc_iter_free(iter);
    return more;
}

int main(int argc, char **argv)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *function = NULL, *results = NULL;
    struct tally tally = {0};
    rpyc_conn *conn = NULL;
    int status = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", argv[0]);
        return 2;
    }
    if (rpyc_connect_tcp(&conn, argv[1], argv[2], NULL, &err) < 0 ||
        rpyc_function(&function, polynomial, &tally, &err) < 0 ||
        apply(conn, function, &results, &err) < 0 || print_numbers(results, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        status = 1;
    } else {
        printf("%d calls\n", tally.calls);
    }
    rpyc_unref(results);
    rpyc_unref(function);
    rpyc_close(conn); /* after this, polynomial is not called any more: tally may end */
    rpyc_error_clear(&err);
    return status;
}
