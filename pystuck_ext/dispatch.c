/* SPDX-License-Identifier: BSD-3-Clause */
#include "dispatch.h"

#include "call.h"
#include "box.h"
#include "policy.h"
#include "class_lookup.h"
#include "ctxexit.h"
#include "gil.h"
#include "inspect.h"
#include "netref.h"
#include "pyframe.h"
#include "vinegar.h"

#define STACKS_VERSION 2 /* of the tuple that STACKS returns */

/* ---- Attributes ----------------------------------------------------------------------------- */

/* A name from the wire as a str: bytes are taken too. A new reference. */
static PyObject *attribute_name(PyObject *name)
{
    if (PyBytes_Check(name))
        return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), NULL);
    if (!PyUnicode_CheckExact(name)) {
        PyErr_SetString(PyExc_TypeError, "name must be a string");
        return NULL;
    }
    Py_INCREF(name);
    return name;
}

static PyObject *none_or_error(int result)
{
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* The type of an object: a new reference. Code that runs may set another __class__. */
static PyObject *type_of(PyObject *obj)
{
    Py_INCREF(Py_TYPE(obj));
    return (PyObject *)Py_TYPE(obj);
}

/* What the object's type has to say on an access (_rpyc_getattr and its like); NULL, maybe without
 * an exception, if it has none. */
static PyObject *accessor(PyObject *obj, PyObject *overrider)
{
    PyObject *type, *found;

    if (!ps_type_attribute(Py_TYPE(obj), overrider))
        return NULL;
    type = type_of(obj);
    found = PyObject_GetAttr(type, overrider);
    Py_DECREF(type);
    return found;
}

/* The name under which the client may use an attribute, where the service does not allow all of
 * them: a new reference in place of the one to name, which it takes. NULL with AttributeError. */
static PyObject *allowed_name(struct ps_session *s, PyObject *obj, PyObject *name, const char *use)
{
    PyObject *policy = s->policy, *allowed = NULL;

    if (ps_session_is_classic(s))
        return name;
    if (policy) {
        Py_INCREF(policy); /* the session may end meanwhile */
        allowed = PyObject_CallFunction(policy, "OOs", obj, name, use);
        Py_DECREF(policy);
    } else {
        PyErr_SetString(PyExc_EOFError, "the service is not there yet, or not any more");
    }
    Py_DECREF(name);
    return allowed;
}

static PyObject *get_attribute(struct ps_session *s, PyObject *obj, PyObject *raw_name)
{
    PyObject *name = attribute_name(raw_name), *custom, *result = NULL;

    if (!name)
        return NULL;
    custom = accessor(obj, s->state->names.rpyc_getattr);
    if (custom)
        result = PyObject_CallFunctionObjArgs(custom, obj, name, NULL);
    else if (!PyErr_Occurred() && (name = allowed_name(s, obj, name, "allow_getattr")))
        result = PyObject_GetAttr(obj, name);
    Py_XDECREF(custom);
    Py_XDECREF(name);
    return result;
}

/* Sets an attribute, or deletes it where value is NULL. */
static PyObject *set_attribute(struct ps_session *s, PyObject *obj, PyObject *raw_name,
                               PyObject *value)
{
    PyObject *name = attribute_name(raw_name), *custom, *result = NULL;

    if (!name)
        return NULL;
    custom = accessor(obj, value ? s->state->names.rpyc_setattr : s->state->names.rpyc_delattr);
    if (custom)
        result = PyObject_CallFunctionObjArgs(custom, obj, name, value, NULL);
    else if (!PyErr_Occurred() &&
             (name = allowed_name(s, obj, name, value ? "allow_setattr" : "allow_delattr")))
        result = none_or_error(PyObject_SetAttr(obj, name, value));
    Py_XDECREF(custom);
    Py_XDECREF(name);
    return result;
}

/* ---- Calls ---------------------------------------------------------------------------------- */

/* Keyword arguments from the wire, a sequence of (name, value), as a dict; *kwargs is NULL for
 * none. */
static int keyword_arguments(PyObject *pairs, PyObject **kwargs)
{
    PyObject *dict, *key, *value;
    Py_ssize_t pos = 0;

    *kwargs = NULL;
    if (PyTuple_CheckExact(pairs) && PyTuple_GET_SIZE(pairs) == 0)
        return 0;
    dict = PyDict_New();
    if (!dict || PyDict_MergeFromSeq2(dict, pairs, 1) < 0) {
        Py_XDECREF(dict);
        return -1;
    }
    while (PyDict_Next(dict, &pos, &key, &value)) {
        if (!PyUnicode_Check(key)) {
            PyErr_SetString(PyExc_TypeError, "keywords must be strings");
            Py_DECREF(dict);
            return -1;
        }
    }
    *kwargs = dict;
    return 0;
}

static PyObject *call(PyObject *function, PyObject *args, PyObject *pairs)
{
    PyObject *tuple = PySequence_Tuple(args), *kwargs, *result = NULL;

    if (!tuple)
        return NULL;
    if (keyword_arguments(pairs, &kwargs) == 0)
        result = PyObject_Call(function, tuple, kwargs);
    Py_XDECREF(kwargs);
    Py_DECREF(tuple);
    return result;
}

/* ---- The handlers --------------------------------------------------------------------------- */

/* Each gets its arguments in a tuple whose length has been checked; ARG is the i-th, MORE whether
 * it is there. */
#define ARG(i)  PyTuple_GET_ITEM(args, i)
#define MORE(i) (PyTuple_GET_SIZE(args) > (i))

static PyObject *handle_ping(struct ps_session *s, PyObject *args)
{
    (void)s;
    Py_INCREF(ARG(0));
    return ARG(0);
}

static PyObject *handle_getroot(struct ps_session *s, PyObject *args)
{
    (void)args;
    if (!s->root)
        PyErr_SetString(PyExc_EOFError, "the client is gone");
    Py_XINCREF(s->root);
    return s->root;
}

static PyObject *handle_getattr(struct ps_session *s, PyObject *args)
{
    return get_attribute(s, ARG(0), ARG(1));
}

static PyObject *handle_delattr(struct ps_session *s, PyObject *args)
{
    return set_attribute(s, ARG(0), ARG(1), NULL);
}

static PyObject *handle_setattr(struct ps_session *s, PyObject *args)
{
    return set_attribute(s, ARG(0), ARG(1), ARG(2));
}

/* Calls with the keyword arguments at the i-th place, if they are there. */
static PyObject *call_with(PyObject *function, PyObject *positional, PyObject *args, Py_ssize_t i)
{
    PyObject *none, *result;

    if (MORE(i))
        return call(function, positional, ARG(i));
    none = PyTuple_New(0);
    if (!none)
        return NULL;
    result = call(function, positional, none);
    Py_DECREF(none);
    return result;
}

static PyObject *handle_call(struct ps_session *s, PyObject *args)
{
    (void)s;
    return call_with(ARG(0), ARG(1), args, 2);
}

static PyObject *handle_callattr(struct ps_session *s, PyObject *args)
{
    PyObject *method = get_attribute(s, ARG(0), ARG(1)), *result;

    if (!method)
        return NULL;
    result = call_with(method, ARG(2), args, 3);
    Py_DECREF(method);
    return result;
}

static PyObject *handle_repr(struct ps_session *s, PyObject *args)
{
    (void)s;
    return PyObject_Repr(ARG(0));
}

static PyObject *handle_str(struct ps_session *s, PyObject *args)
{
    (void)s;
    return PyObject_Str(ARG(0));
}

/* type(obj).op(obj, other) */
static PyObject *handle_cmp(struct ps_session *s, PyObject *args)
{
    PyObject *op = MORE(2) ? ARG(2) : NULL, *function, *result, *name = NULL, *type;

    if (!op)
        op = name = PyUnicode_FromString("__cmp__");
    if (!op)
        return NULL;
    type = type_of(ARG(0));
    function = get_attribute(s, type, op);
    Py_DECREF(type);
    Py_XDECREF(name);
    if (!function)
        return NULL;
    result = PyObject_CallFunctionObjArgs(function, ARG(0), ARG(1), NULL);
    Py_DECREF(function);
    return result;
}

static PyObject *handle_hash(struct ps_session *s, PyObject *args)
{
    Py_hash_t hash = PyObject_Hash(ARG(0));

    (void)s;
    return hash == -1 ? NULL : PyLong_FromSsize_t(hash);
}

static PyObject *handle_dir(struct ps_session *s, PyObject *args)
{
    PyObject *names = PyObject_Dir(ARG(0)), *tuple;

    (void)s;
    if (!names)
        return NULL;
    tuple = PySequence_Tuple(names);
    Py_DECREF(names);
    return tuple;
}

static PyObject *handle_pickle(struct ps_session *s, PyObject *args)
{
    PyObject *pickle, *result;

    if (!ps_session_allows(s, "allow_pickle")) {
        PyErr_SetString(PyExc_ValueError, "pickling is disabled");
        return NULL;
    }
    pickle = PyImport_ImportModule("pickle");
    if (!pickle)
        return NULL;
    result = PyObject_CallMethod(pickle, "dumps", "OO", ARG(0), ARG(1));
    Py_DECREF(pickle);
    return result;
}

/* For an object that is itself a netref, the question goes on to where the object is. */
static PyObject *inspect_elsewhere(struct ps_session *s, PyObject *obj, PyObject *args)
{
    PyObject *conn, *result;

    if (PyObject_TypeCheck(obj, s->state->netref_type))
        return ps_request(((struct ps_netref *)obj)->session, HANDLE_INSPECT, args);
    conn = PyObject_GetAttr(obj, s->state->names.conn);
    if (!conn)
        return NULL;
    result = PyObject_CallMethod(conn, "sync_request", "iO", HANDLE_INSPECT, ARG(0));
    Py_DECREF(conn);
    return result;
}

/* An id pack that came by value. */
static int parse_pack(PyObject *tuple, struct id_pack *pack)
{
    unsigned long long class_id, instance_id;
    Py_ssize_t len;

    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "not an id pack");
        return -1;
    }
    if (!PyArg_ParseTuple(tuple, "s#KK;not an id pack", &pack->name, &len, &class_id, &instance_id))
        return -1;
    pack->name_len = (size_t)len;
    pack->class_id = class_id;
    pack->instance_id = instance_id;
    return 0;
}

static PyObject *handle_inspect(struct ps_session *s, PyObject *args)
{
    PyObject *obj, *list, *tuple = NULL;
    struct id_pack pack;

    if (parse_pack(ARG(0), &pack) < 0)
        return NULL;
    obj = ps_objects_get(&s->objects, &pack);
    if (!obj)
        return NULL;
    if (ps_type_attribute(Py_TYPE(obj), s->state->names.conn) ||
        PyObject_TypeCheck(obj, s->state->netref_type)) {
        tuple = inspect_elsewhere(s, obj, args);
    } else {
        list = ps_inspect(s, obj);
        tuple = list ? PyList_AsTuple(list) : NULL;
        Py_XDECREF(list);
    }
    Py_DECREF(obj);
    return tuple;
}

static PyObject *handle_buffiter(struct ps_session *s, PyObject *args)
{
    Py_ssize_t left = PyNumber_AsSsize_t(ARG(1), PyExc_ValueError);
    PyObject *iterator, *list, *item, *tuple = NULL;

    (void)s;
    if (left < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "the count of a BUFFITER is negative");
        return NULL;
    }
    iterator = PyObject_GetIter(ARG(0));
    list = iterator ? PyList_New(0) : NULL;
    while (list && left-- > 0 && (item = PyIter_Next(iterator))) {
        if (PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_DECREF(item);
    }
    if (list && !PyErr_Occurred())
        tuple = PyList_AsTuple(list);
    Py_XDECREF(list);
    Py_XDECREF(iterator);
    return tuple;
}

/* obj.method(first, *rest) */
static PyObject *call_sliced(struct ps_session *s, PyObject *obj, PyObject *method, PyObject *first,
                             PyObject *rest)
{
    PyObject *function = get_attribute(s, obj, method);
    PyObject *all = function ? PySequence_Concat(first, rest) : NULL;
    PyObject *result = all ? PyObject_CallObject(function, all) : NULL;

    Py_XDECREF(function);
    Py_XDECREF(all);
    return result;
}

/* First as the attempt says with a slice, then as the fallback says with two numbers (rpyc issue
 * 41). */
static PyObject *handle_oldslicing(struct ps_session *s, PyObject *args)
{
    PyObject *stop = ARG(4), *slice, *first, *rest = PySequence_Tuple(ARG(5)), *result = NULL;

    if (!rest)
        return NULL;
    slice = PySlice_New(ARG(3), stop, NULL);
    first = slice ? PyTuple_Pack(1, slice) : NULL;
    if (first)
        result = call_sliced(s, ARG(0), ARG(1), first, rest);
    Py_XDECREF(slice);
    Py_CLEAR(first);
    if (!result && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear();
        first = stop == Py_None ? Py_BuildValue("(On)", ARG(3), PY_SSIZE_T_MAX)
                                : PyTuple_Pack(2, ARG(3), stop);
        if (first)
            result = call_sliced(s, ARG(0), ARG(2), first, rest);
        Py_XDECREF(first);
    }
    Py_DECREF(rest);
    return result;
}

static PyObject *call_exit(PyObject *exit, PyObject *exc)
{
    PyObject *type = type_of(exc), *result;

    result = PyObject_CallFunctionObjArgs(exit, type, exc, Py_None, NULL);
    Py_DECREF(type);
    return result;
}

/* What interrupts the question what was raised is raised in turn, but not before what there is to
 * exit has been exited. */
static PyObject *handle_ctxexit(struct ps_session *s, PyObject *args)
{
    PyObject *exit = get_attribute(s, ARG(0), s->state->names.dunder_exit), *exc, *result = NULL;
    PyObject *type = NULL, *value = NULL, *tb = NULL;

    if (!exit)
        return NULL;
    exc = ps_raised(s, ARG(1));
    if (!exc) {
        PyErr_Fetch(&type, &value, &tb);
        exc = ps_raised_class(s, ARG(1));
    }
    if (exc == Py_None)
        result = PyObject_CallFunctionObjArgs(exit, exc, exc, exc, NULL);
    else if (exc)
        result = call_exit(exit, exc);
    if (type) {
        Py_CLEAR(result);
        PyErr_Restore(type, value, tb);
    }
    Py_XDECREF(exc);
    Py_DECREF(exit);
    return result;
}

/* Whether what an id pack names is an instance of obj. The pack is that of any netref that the
 * client has: an object of ours, or one of another process, of which only the class's name can
 * tell. */
static PyObject *handle_instancecheck(struct ps_session *s, PyObject *args)
{
    PyObject *other, *cls, *type;
    struct id_pack pack;
    int result;

    if (parse_pack(ARG(1), &pack) < 0)
        return NULL;
    other = ps_objects_get(&s->objects, &pack);
    if (other) {
        result = PyObject_IsInstance(other, ARG(0));
        Py_DECREF(other);
        return result < 0 ? NULL : PyBool_FromLong(result);
    }
    PyErr_Clear();
    cls = ps_class_by_name(pack.name, pack.name_len);
    if (!cls)
        Py_RETURN_FALSE;
    type = type_of(cls);
    result = PyObject_IsSubclass(pack.instance_id ? cls : type, ARG(0));
    Py_DECREF(type);
    Py_DECREF(cls);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

/* The stacks of all threads, as report/codec.h describes them: (2, process). Only for clients of
 * the classic service, which may read all of the program: a service that offers less must not show
 * more by this. */
static PyObject *handle_stacks(struct ps_session *s, PyObject *args)
{
    PyObject *collect = s->state->collect;
    long version = PyLong_AsLong(ARG(0)), flags = PyLong_AsLong(ARG(1));

    if (PyErr_Occurred())
        return NULL;
    if (s->settings->connect && s->policy != Py_None)
        return PyErr_Format(PyExc_ValueError, "STACKS needs the classic service");
    if (version < STACKS_VERSION)
        return PyErr_Format(PyExc_ValueError, "STACKS version %ld is not supported: use %d",
                            version, STACKS_VERSION);
    if (!collect)
        return PyErr_Format(PyExc_ImportError, "pystuck._stacks could not be imported");
    return Py_BuildValue("(iN)", STACKS_VERSION, PyObject_CallFunction(collect, "l", flags));
}

/* ---- Dispatch ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    Py_ssize_t least, most; /* arguments */
    PyObject *(*handle)(struct ps_session *s, PyObject *args);
} handlers[] = {
    [HANDLE_PING] = {"PING", 1, 1, handle_ping},
    [HANDLE_GETROOT] = {"GETROOT", 0, 0, handle_getroot},
    [HANDLE_GETATTR] = {"GETATTR", 2, 2, handle_getattr},
    [HANDLE_DELATTR] = {"DELATTR", 2, 2, handle_delattr},
    [HANDLE_SETATTR] = {"SETATTR", 3, 3, handle_setattr},
    [HANDLE_CALL] = {"CALL", 2, 3, handle_call},
    [HANDLE_CALLATTR] = {"CALLATTR", 3, 4, handle_callattr},
    [HANDLE_REPR] = {"REPR", 1, 1, handle_repr},
    [HANDLE_STR] = {"STR", 1, 1, handle_str},
    [HANDLE_CMP] = {"CMP", 2, 3, handle_cmp},
    [HANDLE_HASH] = {"HASH", 1, 1, handle_hash},
    [HANDLE_DIR] = {"DIR", 1, 1, handle_dir},
    [HANDLE_PICKLE] = {"PICKLE", 2, 2, handle_pickle},
    [HANDLE_INSPECT] = {"INSPECT", 1, 1, handle_inspect},
    [HANDLE_BUFFITER] = {"BUFFITER", 2, 2, handle_buffiter},
    [HANDLE_OLDSLICING] = {"OLDSLICING", 6, 6, handle_oldslicing},
    [HANDLE_CTXEXIT] = {"CTXEXIT", 2, 2, handle_ctxexit},
    [HANDLE_INSTANCECHECK] = {"INSTANCECHECK", 2, 2, handle_instancecheck},
    [HANDLE_STACKS] = {"STACKS", 3, 3, handle_stacks},
};

/* Gives references back. The object itself is not looked up first, for all that counts is its id
 * pack, and it may be gone already. */
static PyObject *handle_del(struct ps_session *s, struct brine_reader *r)
{
    struct brine_reader start = *r;
    struct id_pack pack;
    const uint8_t *data;
    int64_t count;
    size_t len;

    if (!box_next_del(r, &pack, &count)) {
        *r = start;
        brine_skip(r, &data, &len); /* is it broken, or just something else? */
        PyErr_SetString(PyExc_TypeError, "DEL takes a reference and a count");
        return NULL;
    }
    if (count < 1) {
        PyErr_SetString(PyExc_ValueError, "the count of a DEL is a number from 1");
        return NULL;
    }
    return none_or_error(ps_objects_give_back(&s->objects, &pack, (uint64_t)count));
}

static PyObject *handle(struct ps_session *s, int64_t number, PyObject *args)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args);

    if (n < handlers[number].least || n > handlers[number].most)
        return PyErr_Format(PyExc_TypeError, "%s takes %zd to %zd arguments, and %zd were given",
                            handlers[number].name, handlers[number].least, handlers[number].most,
                            n);
    return handlers[number].handle(s, args);
}

static bool is_handler(int64_t number)
{
    return number > 0 && (size_t)number < sizeof(handlers) / sizeof(*handlers) &&
           handlers[number].handle;
}

/* Frees a message once its objects are built: what it asks for may take any time. */
static void free_message(struct message *request)
{
    PyThreadState *before;

    if (!request->turn) {
        message_free(request);
        return;
    }
    before = ps_gil_begin_wait(); /* it is long */
    message_free(request);
    ps_gil_end_wait(before);
}

/* Carries out a request: its result, or NULL with an exception. */
static PyObject *carry_out(struct ps_session *s, struct message *request, int64_t number)
{
    struct brine_reader *r = &request->body;
    PyObject *args, *result;

    if (s->ended) {
        PyErr_SetString(PyExc_EOFError, "the client is gone");
        return NULL;
    }
    if (number == HANDLE_DEL)
        return handle_del(s, r);
    if (!is_handler(number)) {
        args = PyLong_FromLongLong(number);
        if (args)
            PyErr_SetObject(PyExc_KeyError, args); /* what stock raises */
        Py_XDECREF(args);
        return NULL;
    }
    args = ps_unbox(s, r);
    if (args && !PyTuple_Check(args)) {
        PyErr_SetString(PyExc_TypeError, "the arguments of a request are a tuple");
        Py_CLEAR(args);
    }
    if (!args)
        return NULL;
    free_message(request);
    result = handle(s, number, args);
    Py_DECREF(args);
    return result;
}

/* A result as Python's own calls hand it on: never NULL without an exception, nor one with. Much of
 * what is called here is C code of others. Takes the result and returns it. */
static PyObject *checked(PyObject *result)
{
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "error return without exception set");
    if (result && PyErr_Occurred())
        Py_CLEAR(result);
    return result;
}

/* The exception that is set, as the answer, in place of anything that was appended before. A
 * KeyboardInterrupt is kept in *interrupt as well, if that is not NULL. */
static void answer_exception(struct ps_session *s, const struct message *request,
                             struct outgoing *out, PyObject **interrupt)
{
    PyObject *type, *exc, *tb;
    const char *version;
    bool with_traceback;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (interrupt && !*interrupt && PyErr_GivenExceptionMatches(type, PyExc_KeyboardInterrupt)) {
        Py_XINCREF(exc);
        *interrupt = exc;
    }
    if (!s->ended) {
        Py_XINCREF(tb);
        Py_XSETREF(s->last_traceback, tb);
    }
    with_traceback = ps_session_allows(s, "include_local_traceback");
    version = ps_session_version(s);
    PyErr_Restore(type, exc, tb);
    conn_reply_restart(s->conn, out, request, MESSAGE_EXCEPTION);
    ps_vinegar_put(s->state, &out->buf, with_traceback, version);
}

/* After a request whose arguments could not be read: an exception for its client where they are
 * just too much, which is no reason to hang up, or -1. */
static int refuse_arguments(const struct brine_reader *r, struct rpyc_error *err)
{
    PyErr_Clear();
    if (r->failed != RPYC_ELIMIT)
        return brine_error(r, err);
    PyErr_Format(PyExc_ValueError, "the arguments cannot be taken: %s (%zu)", r->problem, r->limit);
    return 0;
}

/* A request, and what becomes of it. */
struct work {
    struct ps_session *s;
    struct message *request;
    int64_t handler;
    struct outgoing *out;
    PyObject **interrupt;
    struct rpyc_error *err;
    int result;
    bool done;
};

/* Carries a request out and writes the answer. */
static void answer(void *arg)
{
    struct work *w = arg;
    PyObject *result = checked(carry_out(w->s, w->request, w->handler));
    struct ps_boxer boxer = {.session = w->s, .out = &w->out->buf, .answers = w->request->sender};

    message_free(w->request);
    w->done = true;
    if (w->request->body.failed != RPYC_OK) {
        Py_CLEAR(result);
        w->result = refuse_arguments(&w->request->body, w->err);
        if (w->result < 0)
            return;
    }
    conn_reply_begin(w->s->conn, w->out, w->request, MESSAGE_REPLY);
    if (!result || ps_box(&boxer, result) < 0) {
        ps_boxer_undo(&boxer);
        answer_exception(w->s, w->request, w->out, w->interrupt);
    }
    ps_boxer_sent(&boxer);
    Py_XDECREF(result);
    PyErr_Clear();
}

int ps_dispatch(struct ps_session *s, struct message *request, int64_t handler,
                struct outgoing *out, PyObject **interrupt, struct rpyc_error *err)
{
    struct work w = {s, request, handler, out, interrupt, err, 0, false};

    if (ps_pyframe_run(s, answer, &w) == 0 || w.done)
        return w.result;
    message_free(request);
    conn_reply_begin(s->conn, out, request, MESSAGE_REPLY);
    answer_exception(s, request, out, interrupt);
    return 0;
}
