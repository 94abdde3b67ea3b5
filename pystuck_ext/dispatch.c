/* SPDX-License-Identifier: BSD-3-Clause */
#include "dispatch.h"

#include "call.h"
#include "box.h"
#include "connection_config.h"
#include "class_lookup.h"
#include "collect.h"
#include "ctxexit.h"
#include "gil.h"
#include "inspect.h"
#include "netref.h"
#include "pyframe.h"
#include "vinegar.h"

/* ---- Attributes ----------------------------------------------------------------------------- */

/* Returns an attribute name from a message as a str. The name in the message may be a str or bytes.
 * A new reference. */
static PyObject *attribute_name(PyObject *name)
{
    if (PyBytes_Check(name))
        return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), NULL);
    if (!PyUnicode_CheckExact(name)) {
        PyErr_SetString(PyExc_TypeError, "name must be a string");
        return NULL;
    }
    return ps_new_ref(name);
}

static PyObject *none_or_error(int result)
{
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* Returns the type of an object: a new reference, because Python code may set the object's
 * __class__ to another class and so free the type. */
static PyObject *type_of(PyObject *obj)
{
    return ps_new_ref((PyObject *)Py_TYPE(obj));
}

/* Calls the method `overrider` of the object's type: _rpyc_getattr, _rpyc_setattr or _rpyc_delattr.
 * If a type has such a method, it is used in place of plain access to attributes. value: the new
 * value for _rpyc_setattr, otherwise NULL. Returns the method's result, a new reference. */
static PyObject *call_overrider(PyObject *obj, PyObject *overrider, PyObject *name, PyObject *value)
{
    ps_auto PyObject *type = type_of(obj), *function = PyObject_GetAttr(type, overrider);

    return function ? PyObject_CallFunctionObjArgs(function, obj, name, value, NULL) : NULL;
}

/* Does the work of allow_name() for a service with a policy. */
static int ask_policy(struct ps_session *s, PyObject *obj, PyObject **name, const char *use)
{
    ps_auto PyObject *policy = ps_new_ref(s->policy); /* the session may end during the call */

    if (!policy) {
        PyErr_SetString(PyExc_EOFError,
                        "the service of this connection has not started, or has ended");
        return -1;
    }
    Py_SETREF(*name, PyObject_CallFunction(policy, "OOs", obj, *name, use));
    return *name ? 0 : -1;
}

/* Replaces *name by the name under which the client may use the attribute, such as exposed_NAME.
 * use: the setting that allows this kind of use, such as "allow_getattr". Returns 0, or -1 with
 * AttributeError if the service does not allow the use. */
static int allow_name(struct ps_session *s, PyObject *obj, PyObject **name, const char *use)
{
    return ps_session_is_classic(s) ? 0 : ask_policy(s, obj, name, use);
}

static PyObject *get_attribute(struct ps_session *s, PyObject *obj, PyObject *raw_name)
{
    ps_auto PyObject *name = attribute_name(raw_name);
    PyObject *overrider = s->state->names.rpyc_getattr;

    if (!name)
        return NULL;
    if (ps_type_attribute(Py_TYPE(obj), overrider))
        return call_overrider(obj, overrider, name, NULL);
    if (allow_name(s, obj, &name, "allow_getattr") < 0)
        return NULL;
    return PyObject_GetAttr(obj, name);
}

/* Sets an attribute. If value is NULL, deletes the attribute. Returns a new reference to None. */
static PyObject *set_attribute(struct ps_session *s, PyObject *obj, PyObject *raw_name,
                               PyObject *value)
{
    ps_auto PyObject *name = attribute_name(raw_name);
    PyObject *overrider = value ? s->state->names.rpyc_setattr : s->state->names.rpyc_delattr;

    if (!name)
        return NULL;
    if (ps_type_attribute(Py_TYPE(obj), overrider))
        return call_overrider(obj, overrider, name, value);
    if (allow_name(s, obj, &name, value ? "allow_setattr" : "allow_delattr") < 0)
        return NULL;
    return none_or_error(PyObject_SetAttr(obj, name, value));
}

/* ---- Calls ---------------------------------------------------------------------------------- */

/* Converts keyword arguments from a message, a sequence of (name, value), to a dict. Sets *kwargs
 * to a new reference, or to NULL if there are no keyword arguments. Returns 0, or -1 with an
 * exception. */
static int keyword_arguments(PyObject *pairs, PyObject **kwargs)
{
    ps_auto PyObject *dict = NULL;
    PyObject *key, *value;
    Py_ssize_t pos = 0;

    *kwargs = NULL;
    if (PyTuple_CheckExact(pairs) && PyTuple_GET_SIZE(pairs) == 0)
        return 0;
    dict = PyDict_New();
    if (!dict || PyDict_MergeFromSeq2(dict, pairs, 1) < 0)
        return -1;
    while (PyDict_Next(dict, &pos, &key, &value)) {
        if (!PyUnicode_Check(key)) {
            PyErr_SetString(PyExc_TypeError, "keywords must be strings");
            return -1;
        }
    }
    *kwargs = ps_steal(&dict);
    return 0;
}

static PyObject *call(PyObject *function, PyObject *args, PyObject *pairs)
{
    ps_auto PyObject *tuple = PySequence_Tuple(args), *kwargs = NULL;

    if (!tuple || keyword_arguments(pairs, &kwargs) < 0)
        return NULL;
    return PyObject_Call(function, tuple, kwargs);
}

/* ---- The handlers --------------------------------------------------------------------------- */

/* Each handler gets its arguments in a tuple whose length has been checked. ARG(i) is the argument
 * with index i, counted from 0; MORE(i) is true if there is an argument with index i. A handler
 * returns a new reference, or NULL with an exception. */
#define ARG(i)  PyTuple_GET_ITEM(args, i)
#define MORE(i) (PyTuple_GET_SIZE(args) > (i))

static PyObject *handle_ping(struct ps_session *s, PyObject *args)
{
    (void)s;
    return ps_new_ref(ARG(0));
}

static PyObject *handle_getroot(struct ps_session *s, PyObject *args)
{
    (void)args;
    if (!s->root)
        PyErr_SetString(PyExc_EOFError, "the connection to the client has ended");
    return ps_new_ref(s->root);
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

/* Calls function(*positional, **keywords). args: the arguments of the request. ARG(i) contains the
 * keywords; if the request has no argument with index i, there are no keywords. */
static PyObject *call_with(PyObject *function, PyObject *positional, PyObject *args, Py_ssize_t i)
{
    ps_auto PyObject *pairs = MORE(i) ? ps_new_ref(ARG(i)) : PyTuple_New(0);

    return pairs ? call(function, positional, pairs) : NULL;
}

static PyObject *handle_call(struct ps_session *s, PyObject *args)
{
    (void)s;
    return call_with(ARG(0), ARG(1), args, 2);
}

static PyObject *handle_callattr(struct ps_session *s, PyObject *args)
{
    ps_auto PyObject *method = get_attribute(s, ARG(0), ARG(1));

    return method ? call_with(method, ARG(2), args, 3) : NULL;
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

/* The arguments are obj, other and op. Calls type(obj).op(obj, other). If the request has no op,
 * calls __cmp__. */
static PyObject *handle_cmp(struct ps_session *s, PyObject *args)
{
    ps_auto PyObject *op = MORE(2) ? ps_new_ref(ARG(2)) : PyUnicode_FromString("__cmp__");
    ps_auto PyObject *type = type_of(ARG(0));
    ps_auto PyObject *function = op ? get_attribute(s, type, op) : NULL;

    return function ? PyObject_CallFunctionObjArgs(function, ARG(0), ARG(1), NULL) : NULL;
}

static PyObject *handle_hash(struct ps_session *s, PyObject *args)
{
    Py_hash_t hash = PyObject_Hash(ARG(0));

    (void)s;
    return hash == -1 ? NULL : PyLong_FromSsize_t(hash);
}

static PyObject *handle_dir(struct ps_session *s, PyObject *args)
{
    ps_auto PyObject *names = PyObject_Dir(ARG(0));

    (void)s;
    return names ? PySequence_Tuple(names) : NULL;
}

static PyObject *handle_pickle(struct ps_session *s, PyObject *args)
{
    ps_auto PyObject *pickle = NULL;

    if (!ps_session_allows(s, "allow_pickle")) {
        PyErr_SetString(PyExc_ValueError, "pickling is disabled");
        return NULL;
    }
    pickle = PyImport_ImportModule("pickle");
    return pickle ? PyObject_CallMethod(pickle, "dumps", "OO", ARG(0), ARG(1)) : NULL;
}

/* Serves INSPECT for an object that is itself a netref, of pystuck or of rpyc: forwards the request
 * to the process of the object. */
static PyObject *inspect_elsewhere(struct ps_session *s, PyObject *obj, PyObject *args)
{
    ps_auto PyObject *conn = NULL;

    if (PyObject_TypeCheck(obj, s->state->netref_type))
        return ps_request(((struct ps_netref *)obj)->session, HANDLE_INSPECT, args);
    conn = PyObject_GetAttr(obj, s->state->names.conn);
    return conn ? PyObject_CallMethod(conn, "sync_request", "iO", HANDLE_INSPECT, ARG(0)) : NULL;
}

/* Reads an id pack that was sent as a tuple. pack->name points into the tuple. */
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
    ps_auto PyObject *obj = NULL, *list = NULL;
    struct id_pack pack;

    if (parse_pack(ARG(0), &pack) < 0)
        return NULL;
    obj = ps_objects_get(&s->objects, &pack);
    if (!obj)
        return NULL;
    if (ps_type_attribute(Py_TYPE(obj), s->state->names.conn) ||
        PyObject_TypeCheck(obj, s->state->netref_type))
        return inspect_elsewhere(s, obj, args);
    list = ps_inspect(s, obj);
    return list ? PyList_AsTuple(list) : NULL;
}

static PyObject *handle_buffiter(struct ps_session *s, PyObject *args)
{
    Py_ssize_t left = PyNumber_AsSsize_t(ARG(1), PyExc_ValueError);
    ps_auto PyObject *iterator = NULL, *list = NULL;
    PyObject *item;

    (void)s;
    if (left < 0) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "BUFFITER needs a count of at least 0, got %zd", left);
        return NULL;
    }
    iterator = PyObject_GetIter(ARG(0));
    list = iterator ? PyList_New(0) : NULL;
    while (list && left-- > 0 && (item = PyIter_Next(iterator))) {
        if (PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_DECREF(item);
    }
    return list && !PyErr_Occurred() ? PyList_AsTuple(list) : NULL;
}

/* Calls obj.method(*first, *rest). first and rest: tuples. */
static PyObject *call_sliced(struct ps_session *s, PyObject *obj, PyObject *method, PyObject *first,
                             PyObject *rest)
{
    ps_auto PyObject *function = get_attribute(s, obj, method);
    ps_auto PyObject *all = function ? PySequence_Concat(first, rest) : NULL;

    return all ? PyObject_CallObject(function, all) : NULL;
}

/* The arguments are object, method, fallback, start, stop and a sequence of further arguments.
 * Calls object.method(slice(start, stop), *further). If this call raises an exception, calls
 * object.fallback(start, stop, *further) instead (rpyc issue 41). */
static PyObject *handle_oldslicing(struct ps_session *s, PyObject *args)
{
    ps_auto PyObject *rest = PySequence_Tuple(ARG(5)), *slice = NULL, *first = NULL,
                     *numbers = NULL;
    PyObject *stop = ARG(4), *result;

    if (!rest)
        return NULL;
    slice = PySlice_New(ARG(3), stop, NULL);
    first = slice ? PyTuple_Pack(1, slice) : NULL;
    result = first ? call_sliced(s, ARG(0), ARG(1), first, rest) : NULL;
    if (result || !PyErr_ExceptionMatches(PyExc_Exception))
        return result;
    PyErr_Clear();
    numbers = stop == Py_None ? Py_BuildValue("(On)", ARG(3), PY_SSIZE_T_MAX)
                              : PyTuple_Pack(2, ARG(3), stop);
    return numbers ? call_sliced(s, ARG(0), ARG(2), numbers, rest) : NULL;
}

static PyObject *call_exit(PyObject *exit, PyObject *exc)
{
    ps_auto PyObject *type = type_of(exc);

    return PyObject_CallFunctionObjArgs(exit, type, exc, Py_None, NULL);
}

/* Calls __exit__. If an exception, such as KeyboardInterrupt, has interrupted the requests that
 * ps_raised() sends to the client, raises this exception after the call of __exit__. */
static PyObject *handle_ctxexit(struct ps_session *s, PyObject *args)
{
    ps_auto PyObject *exit = get_attribute(s, ARG(0), s->state->names.dunder_exit), *exc = NULL;
    PyObject *result = NULL, *type = NULL, *value = NULL, *tb = NULL;

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
    return result;
}

/* Returns isinstance(object, class). The request contains the object's id pack. If the client holds
 * no object of this process with that id pack, assumes that the object's class is the class of this
 * process that has the class name in the id pack. Returns False if there is no such class. */
static PyObject *handle_instancecheck(struct ps_session *s, PyObject *args)
{
    ps_auto PyObject *other = NULL, *cls = NULL, *type = NULL;
    struct id_pack pack;
    int result;

    if (parse_pack(ARG(1), &pack) < 0)
        return NULL;
    other = ps_objects_get(&s->objects, &pack);
    if (other) {
        result = PyObject_IsInstance(other, ARG(0));
        return result < 0 ? NULL : PyBool_FromLong(result);
    }
    PyErr_Clear();
    cls = ps_class_by_name(pack.name, pack.name_len);
    if (!cls)
        Py_RETURN_FALSE;
    type = type_of(cls);
    result = PyObject_IsSubclass(pack.instance_id ? cls : type, ARG(0));
    return result < 0 ? NULL : PyBool_FromLong(result);
}

/* Returns (PS_STACKS_VERSION, process). process: a tuple with the stacks of all threads, which
 * report/codec.h describes. Only clients of the classic service may send this request, because they
 * may read everything in the program. */
static PyObject *handle_stacks(struct ps_session *s, PyObject *args)
{
    long version = PyLong_AsLong(ARG(0)), flags = PyLong_AsLong(ARG(1));
    long budget_ms = PyLong_AsLong(ARG(2));
    PyObject *process;

    if (PyErr_Occurred())
        return NULL;
    if (!atomic_load(&s->is_classic))
        return PyErr_Format(PyExc_ValueError, PS_STACKS_NOT_CLASSIC);
    if (version < PS_STACKS_VERSION)
        return PyErr_Format(PyExc_ValueError, "STACKS version %ld is not supported: use %d",
                            version, PS_STACKS_VERSION);
    process = ps_collect(s->state, flags, budget_ms, false);
    return process ? Py_BuildValue("(iN)", PS_STACKS_VERSION, process) : NULL;
}

/* ---- Dispatch ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    Py_ssize_t least, most; /* number of arguments */
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

/* Serves DEL: subtracts from the count of references that the client holds. Does not unbox the
 * reference, because the object may have been released. */
static PyObject *handle_del(struct ps_session *s, struct brine_reader *r)
{
    struct brine_reader start = *r;
    struct id_pack pack;
    const uint8_t *data;
    int64_t count;
    size_t len;

    if (!box_next_del(r, &pack, &count)) {
        *r = start;
        brine_skip(r, &data, &len); /* sets r->failed if the message is broken */
        PyErr_SetString(PyExc_TypeError, "DEL takes a reference and a count");
        return NULL;
    }
    if (count < 1) {
        PyErr_Format(PyExc_ValueError, "DEL needs a count of at least 1, got %lld",
                     (long long)count);
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

/* Frees a request whose arguments have been converted to Python objects. Called before the handler
 * runs, because the handler may run for a long time. */
static void free_message(struct message *request)
{
    PyThreadState *before;

    if (!request->turn) {
        message_free(request);
        return;
    }
    before = ps_gil_begin_wait(); /* a message with a turn is long, and freeing it takes a while */
    message_free(request);
    ps_gil_end_wait(before);
}

/* Reads the arguments of a request and runs its handler. A new reference, or NULL with an
 * exception. */
static PyObject *carry_out(struct ps_session *s, struct message *request, int64_t number)
{
    struct brine_reader *r = &request->body;
    ps_auto PyObject *args = NULL;

    if (s->ended) {
        PyErr_SetString(PyExc_EOFError, "the connection to the client has ended");
        return NULL;
    }
    if (number == HANDLE_DEL)
        return handle_del(s, r);
    if (!is_handler(number)) {
        args = PyLong_FromLongLong(number);
        if (args)
            PyErr_SetObject(PyExc_KeyError, args); /* like stock rpyc */
        return NULL;
    }
    args = ps_unbox(s, r);
    if (!args)
        return NULL;
    if (!PyTuple_Check(args)) {
        PyErr_SetString(PyExc_TypeError, "the arguments of a request must be a tuple");
        return NULL;
    }
    free_message(request);
    return handle(s, number, args);
}

/* Python requires that a result is NULL with an exception, or an object without an exception. C
 * code of other modules, which handlers call, may break this rule. If a result breaks this rule,
 * returns NULL with an exception. Otherwise returns the result unchanged. Takes ownership of the
 * result. */
static PyObject *checked(PyObject *result)
{
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "error return without exception set");
    if (result && PyErr_Occurred())
        Py_CLEAR(result);
    return result;
}

/* Writes the current exception as the reply, and clears this exception. Discards what was appended
 * to the reply before the call. If the exception is a KeyboardInterrupt, also stores the exception
 * in *interrupt, unless interrupt is NULL or *interrupt is set already. */
static void answer_exception(struct ps_session *s, const struct message *request,
                             struct outgoing *out, PyObject **interrupt)
{
    PyObject *type, *exc, *tb;
    const char *version;
    bool with_traceback;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (interrupt && !*interrupt && PyErr_GivenExceptionMatches(type, PyExc_KeyboardInterrupt))
        *interrupt = ps_new_ref(exc);
    if (!s->ended)
        Py_XSETREF(s->last_traceback, ps_new_ref(tb));
    with_traceback = ps_session_allows(s, "include_local_traceback");
    version = ps_session_version(s);
    PyErr_Restore(type, exc, tb);
    conn_reply_restart(s->conn, out, request, MESSAGE_EXCEPTION);
    ps_vinegar_put(s->state, &out->buf, with_traceback, version);
}

/* Handles a request whose arguments could not be read. Returns 0 with an exception for the client
 * if the arguments exceed a limit, or -1 with err if the request is not valid. */
static int refuse_arguments(const struct brine_reader *r, struct rpyc_error *err)
{
    PyErr_Clear();
    if (r->failed != RPYC_ELIMIT)
        return brine_error(r, err);
    PyErr_Format(PyExc_ValueError, "the request was refused: %s (%zu)", r->problem, r->limit);
    return 0;
}

/* A request and its reply. */
struct work {
    struct ps_session *s;
    struct message *request;
    int64_t handler;
    struct outgoing *out;
    PyObject **interrupt;
    struct rpyc_error *err;
    int result;
    bool done; /* answer() was called */
};

/* Runs the handler of a request and writes the reply. */
static void answer(void *arg)
{
    struct work *w = arg;
    ps_auto PyObject *result = checked(carry_out(w->s, w->request, w->handler));
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
    Py_CLEAR(result);
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
