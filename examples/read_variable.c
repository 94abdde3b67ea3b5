/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints the value of a Python expression in another process:
 *
 *     read_variable localhost 6666 '__import__("__main__").jobs'
 *
 * Prints a copied value itself, and an object that stays in the other process by its class and
 * repr.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rpyc.h>

/* Prints the object of a netref. repr runs in the other process, so it may fail like any request.
 */
static int print_object(rpyc_value *object, struct rpyc_error *err)
{
    rpyc_value *text = NULL;

    if (rpyc_repr(object, &text, err) < 0)
        return -1;
    printf("%s: %s\n", rpyc_class_name(object), rpyc_str(text, NULL));
    rpyc_unref(text);
    return 0;
}

static int print_value(rpyc_value *value, struct rpyc_error *err)
{
    int64_t integer;
    double number;

    switch (rpyc_type_of(value)) {
    case RPYC_NONE:
        puts("None");
        return 0;
    case RPYC_STR:
        printf("str: %s\n", rpyc_str(value, NULL)); /* borrowed: valid as long as value */
        return 0;
    case RPYC_BOOL:
    case RPYC_INT:
        if (rpyc_int64(value, &integer, NULL) == 0)
            printf("int: %" PRId64 "\n", integer);
        else
            printf("int, a large one: %s\n", rpyc_int_digits(value));
        return 0;
    case RPYC_FLOAT:
        if (rpyc_double(value, &number, err) < 0)
            return -1;
        printf("float: %g\n", number);
        return 0;
    case RPYC_TUPLE:
        printf("tuple of %zu:\n", rpyc_length(value));
        for (size_t i = 0; i < rpyc_length(value); i++) {
            if (print_value(rpyc_item(value, i), err) < 0) /* an item is borrowed as well */
                return -1;
        }
        return 0;
    case RPYC_NETREF:
        return print_object(value, err);
    default:
        puts("a value of some other type");
        return 0;
    }
}

int main(int argc, char **argv)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *value = NULL;
    rpyc_conn *conn = NULL;
    int status = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST PORT EXPRESSION\n", argv[0]);
        return 2;
    }
    /* Each step runs only if the earlier steps succeeded; err describes the step that failed. */
    if (rpyc_connect_tcp(&conn, argv[1], argv[2], NULL, &err) < 0 ||
        rpyc_eval(conn, argv[3], &value, &err) < 0 || print_value(value, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        if (err.code == RPYC_EREMOTE) /* the Python traceback of the other process */
            fputs(rpyc_exception_traceback(err.remote), stderr);
        status = 1;
    }
    /* All of these accept NULL, so one end is enough for every case. */
    rpyc_unref(value);
    rpyc_close(conn);
    rpyc_error_clear(&err);
    return status;
}
