/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests on objects, and the classic service.
 */
#include "librpyc_user.h"

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
