/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values, and how long netrefs live.
 */
#include "librpyc_user.h"

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
    OK(rpyc_call(get, NULL, &err, NULL)); /* drops the result */
    execute("del thing");
    rpyc_unref(first);
    CHECK(is_true("not gone"));
    rpyc_unref(second);
    wait_until_true("len(gone) == 1");
    rpyc_unref(get);
    rpyc_unref(NULL);
}
