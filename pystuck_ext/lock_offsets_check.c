/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_offsets_check.h"

#include <stdlib.h>
#include <string.h>

#include "offsets_check.h"
#include "stackreader/dicts.h"
#include "stackreader/lock_names.h"
#include "stackreader/locks.h"
#include "stackreader/objects.h"
#include "stackreader/waits.h"

#define FRAMES_MAX 64 /* how many frames of the calling thread are read */
#define CHUNK_ROOM 65536

/* ---- Objects --------------------------------------------------------------------------------- */

static bool has_items(const struct python *py, uint64_t items, PyObject *const expected[3])
{
    uint64_t found[3];
    size_t i;

    if (!memory_read(&py->memory, items, found, sizeof(found)))
        return false;
    for (i = 0; i < 3; i++) {
        if (found[i] != ps_address_of(expected[i]))
            return false;
    }
    return true;
}

static const char *check_sequences(const struct python *py)
{
    const struct offsets *o = py->offsets;
    PyObject *items[] = {Py_None, Py_True, Py_False};
    ps_auto PyObject *tuple = PyTuple_Pack(3, items[0], items[1], items[2]);
    ps_auto PyObject *list = tuple ? PySequence_List(tuple) : NULL;
    struct tuple read;

    if (!list)
        return "no memory";
    if (!tuple_open(py, ps_address_of(tuple), 3, &read) || read.count != 3 ||
        !has_items(py, read.items, items))
        return OFFSETS_WRONG("tuples");
    if (ps_member(py, list, o->list.size) != 3 ||
        !has_items(py, ps_member(py, list, o->list.items), items))
        return OFFSETS_WRONG("lists");
    return NULL;
}

/* Returns a lock that a function of the module _thread makes: a new reference. Returns NULL,
 * without an exception, if the program has replaced this function, as gevent does. */
static PyObject *make_lock(const char *function, const char *type)
{
    ps_auto PyObject *make = ps_import_from("_thread", function);
    ps_auto PyObject *lock = make ? PyObject_CallObject(make, NULL) : NULL;

    PyErr_Clear();
    return lock && strcmp(Py_TYPE(lock)->tp_name, type) == 0 ? ps_steal(&lock) : NULL;
}

static bool call_method(PyObject *object, const char *name)
{
    ps_auto PyObject *result = PyObject_CallMethod(object, name, NULL);

    return result;
}

/* True if the lock is read correctly while this thread has acquired it `count` times. 0: the lock
 * is free. */
static bool is_held(const struct python *py, enum lock_kind kind, PyObject *lock, uint64_t count)
{
    struct lock_state s;

    if (!lock_read(py, kind, ps_address_of(lock), &s) || s.locked != (count > 0))
        return false;
    return kind != LOCK_RLOCK ||
           (s.count == count && s.owner == (count > 0 ? PyThread_get_thread_ident() : 0));
}

/* True if a lock is read correctly while the lock is free and while it is locked. lock: a lock that
 * no other thread uses. If lock is NULL, returns true. */
static bool reads_lock(const struct python *py, enum lock_kind kind, PyObject *lock)
{
    bool right = true;
    uint64_t held, most = kind == LOCK_RLOCK ? 2 : 1;

    if (!lock)
        return true;
    for (held = 0; right && held < most; held++)
        right = is_held(py, kind, lock, held) && call_method(lock, "acquire");
    right = right && is_held(py, kind, lock, held);
    for (; held > 0 && call_method(lock, "release"); held--)
        ;
    return right && is_held(py, kind, lock, 0);
}

/* ---- The code that runs ---------------------------------------------------------------------- */

/* The code that runs during the check. This code calls `check` four times:
 *
 *     1. with objects, and the words that lock_name() must find for them
 *     2. with the managers of `with` blocks, and what these managers hold
 *     3. as the __eq__ of an object that list.count(5) compares with 5
 *     4. as the __enter__ of the manager of a `with` block
 *
 * locks: (callbacks, lock, other, stacked, recursive). callbacks: a collections.deque. lock, other
 * and stacked: Locks or None. recursive: an RLock or None. All names are ASCII, because for other
 * names Python would import unicodedata. */
static const char source[] =
    "\n" /* so that no line number is equal to co_flags */
    "class Slots:\n"
    "    __slots__ = ('first', 'second')\n"
    "class Manager(Slots):\n"
    "    def __enter__(self): pass\n"
    "    def __exit__(self, *args): pass\n"
    "class Condition(Manager): pass\n"
    "class Stack(Manager): pass\n"
    "class Generator(Manager): pass\n"
    "class Entering(Manager): pass\n"
    "def generate(manager):\n"
    "    with manager:\n"
    "        yield\n"
    "def outer(check, locks):\n"
    "    global one\n"
    "    callbacks, lock, other, stacked, recursive = locks\n"
    "    lock, other, stacked = lock or Manager(), other or Manager(), stacked or Manager()\n"
    "    one, two, pair = Manager(), [1, Manager()], (2, Manager())\n"
    "    one.first, one.second = 2, Manager()\n"
    "    def variables(three):\n"
    "        four = Manager()\n"
    "        keep = lambda: four\n"
    "        check((three, 'three', four, 'four', one, 'one', one.second, 'one.second',\n"
    "               two[1], 'two[1]', pair[1], 'pair[1]'), keep)\n"
    "    variables(Manager())\n"
    "    condition, stack, generator = Condition(), Stack(), Generator()\n"
    "    condition._lock, stack._exit_callbacks = recursive, callbacks\n"
    "    generator.gen = generate(other)\n"
    "    generator.gen.send(None)\n"
    "    callbacks.extend(((True, None),) * 70)\n" /* more than a block of a deque has */
    "    callbacks.append((True, stacked.__exit__))\n"
    "    Entering.__enter__ = Entering.__eq__ = check\n"
    "    entering = Entering()\n"
    "    compared = [entering]\n"
    "    try:\n"
    "        with one, lock, condition, stack, generator:\n"
    "            check((generator, stack, condition, lock, one),\n"
    "                  (other, stacked, recursive, lock),\n"
    "                  (Condition, Stack, Generator), compared, entering)\n"
    "            compared.count(5)\n"
    "            with entering:\n"
    "                pass\n"
    "    finally:\n"
    "        generator.gen.close()\n"
    "        del Entering.__enter__, Entering.__eq__\n";

/* The indices of the arguments of the second call of `check`. ARGUMENTS: how many there are. */
enum { MANAGERS, HOLDS, CLASSES_FOUND, COMPARED, ENTERING, ARGUMENTS };

struct probe {
    const struct python *py;
    const char *wrong;
    int calls;           /* how many times `check` was called */
    PyObject *self;      /* that of `check`, borrowed */
    PyObject *arguments; /* those of the second call: a tuple, owned */
    struct raw_stack stack;
    struct value_room *room;
    struct thread_facts *facts;
    struct arena arena;
};

static PyObject *argument(const struct probe *p, int i)
{
    return PyTuple_GET_ITEM(p->arguments, i);
}

static int64_t int_attribute(PyObject *object, const char *name)
{
    ps_auto PyObject *value = PyObject_GetAttrString(object, name);

    return value ? PyLong_AsLongLong(value) : INT64_MIN;
}

static Py_ssize_t length_of(PyObject *object, const char *name)
{
    ps_auto PyObject *value = PyObject_GetAttrString(object, name);

    return value ? PyObject_Size(value) : -1;
}

/* ---- The code object ------------------------------------------------------------------------- */

/* True if the exception table of a code object is read correctly. table: the address of this table;
 * before Python 3.11, code objects have no such table, and the address must be 0. */
static bool reads_handlers(const struct probe *p, PyObject *code, uint64_t table)
{
    ps_auto PyObject *bytes = NULL;
    char read[256];
    ssize_t size;

    if (p->py->offsets->minor < 11)
        return table == 0;
    bytes = PyObject_GetAttrString(code, "co_exceptiontable");
    size = object_bytes(p->py, table, read, sizeof(read));
    return bytes && PyBytes_Check(bytes) && size == PyBytes_GET_SIZE(bytes) &&
           memcmp(read, PyBytes_AS_STRING(bytes), (size_t)size) == 0;
}

/* True if the first instructions of a code object that has not run are read correctly. */
static bool reads_instructions(const struct probe *p, PyObject *code, const struct code_shape *s)
{
    ps_auto PyObject *bytes = PyObject_GetAttrString(code, "co_code");
    char read[16];

    return bytes && PyBytes_Check(bytes) && PyBytes_GET_SIZE(bytes) == (Py_ssize_t)s->size &&
           s->size >= sizeof(read) && memory_read(&p->py->memory, s->units, read, sizeof(read)) &&
           (PY_MINOR_VERSION >= 11 || memcmp(read, PyBytes_AS_STRING(bytes), sizeof(read)) == 0);
}

/* True if the shape of a code object is read correctly. code: the code of a function whose inner
 * functions do not use its arguments. */
static bool reads_shape(const struct probe *p, PyObject *code)
{
    Py_ssize_t locals = length_of(code, "co_varnames") + length_of(code, "co_cellvars") +
                        length_of(code, "co_freevars");
    struct code_shape s;

    return code_shape_read(p->py, ps_address_of(code), &s) && s.locals == locals &&
           s.stack_size == int_attribute(code, "co_stacksize") &&
           s.flags == int_attribute(code, "co_flags") && reads_instructions(p, code, &s) &&
           reads_handlers(p, code, s.exceptions);
}

static bool reads_function(const struct probe *p, PyObject *function)
{
    return ps_member(p->py, function, p->py->offsets->function.code) ==
           ps_address_of(PyFunction_GetCode(function));
}

/* ---- The frame ------------------------------------------------------------------------------- */

/* True if the managers that are read from the `with` blocks of a frame are those in `managers`, a
 * tuple. */
static bool has_managers(const struct probe *p, const struct raw_frame *frame, PyObject *managers)
{
    struct entered_with withs[WITH_BLOCKS_MAX];
    size_t count = value_stack_withs(p->py, p->room, frame, withs), i;

    if ((Py_ssize_t)count != PyTuple_GET_SIZE(managers))
        return false;
    for (i = 0; i < count; i++) {
        if (withs[i].manager != ps_address_of(PyTuple_GET_ITEM(managers, i)))
            return false;
    }
    return true;
}

/* True if the generator owner.gen is read as suspended in a `with` block of `manager`. owner: an
 * instance of the class Generator in `source`. */
static bool reads_generator(const struct probe *p, PyObject *owner, PyObject *manager)
{
    ps_auto PyObject *generator = PyObject_GetAttrString(owner, "gen");
    ps_auto PyObject *managers = PyTuple_Pack(1, manager);
    struct raw_frame frame;

    return generator && managers && frame_of_generator(p->py, ps_address_of(generator), &frame) &&
           has_managers(p, &frame, managers);
}

/* True if lock_name() finds the right words for each object. words: a tuple of objects, each
 * followed by its words. */
static bool has_words(struct probe *p, const struct raw_frame *frame, PyObject *words)
{
    Py_ssize_t i;

    for (i = 0; i + 1 < PyTuple_GET_SIZE(words); i += 2) {
        const char *expected = PyUnicode_AsUTF8(PyTuple_GET_ITEM(words, i + 1));
        struct report_text found =
            lock_name(p->py, p->room, &p->arena, frame, ps_address_of(PyTuple_GET_ITEM(words, i)));

        if (!expected || !found.data || found.len != strlen(expected) ||
            memcmp(found.data, expected, found.len) != 0)
            return false;
    }
    return true;
}

static bool reads_locals(const struct probe *p, const struct raw_frame *frame, PyObject *three)
{
    int index = value_local_index(p->py, frame->code, "three");
    uint64_t value;

    return index == 0 && value_local(p->py, frame, index, &value) && value == ps_address_of(three);
}

/* True if the class of `object` is read as derived from its base class, and if the attribute
 * `second` of `object`, which the base class defines, is read correctly. */
static bool reads_classes(const struct probe *p, PyObject *object)
{
    ps_auto PyObject *second = PyObject_GetAttrString(object, "second");
    uint64_t type = ps_address_of(Py_TYPE(object)), value;

    return second && type_is_derived(p->py, type, ps_address_of(Py_TYPE(object)->tp_base)) &&
           ps_member(p->py, Py_TYPE(object), p->py->offsets->type.base) ==
               ps_address_of(Py_TYPE(object)->tp_base) &&
           attribute_find(p->py, ps_address_of(object), "second", &value) &&
           value == ps_address_of(second);
}

static bool reads_bound(const struct probe *p, PyObject *object, const char *name)
{
    ps_auto PyObject *method = PyObject_GetAttrString(object, name);

    return method && value_bound_to(p->py, ps_address_of(method)) == ps_address_of(object);
}

/* ---- Facts ----------------------------------------------------------------------------------- */

static enum lock_kind kind_of(PyObject *object)
{
    if (strcmp(Py_TYPE(object)->tp_name, "_thread.lock") == 0)
        return LOCK_PLAIN;
    return strcmp(Py_TYPE(object)->tp_name, "_thread.RLock") == 0 ? LOCK_RLOCK : LOCK_NONE;
}

/* Reads the facts about the thread of the probe. True if the thread waits for no lock, and if the
 * first locks that it holds are those in `holds`, in this order. holds: a tuple; items that are not
 * locks are skipped. The classes Condition, Stack and Generator in `source` take the place of the
 * classes of the standard library. */
static bool has_holds(struct probe *p, PyObject *holds)
{
    PyObject *classes = argument(p, CLASSES_FOUND);
    struct stdlib stdlib = {
        .classes = {[CLASS_CONDITION] = ps_address_of(PyTuple_GET_ITEM(classes, 0)),
                    [CLASS_EXIT_STACK] = ps_address_of(PyTuple_GET_ITEM(classes, 1)),
                    [CLASS_CONTEXT_MANAGER] = ps_address_of(PyTuple_GET_ITEM(classes, 2))}};
    size_t found = 0;
    Py_ssize_t i;

    waits_gather(p->py, &stdlib, p->room, &p->stack, 0, p->facts);
    if (p->facts->wait.kind != LOCK_NONE)
        return false;
    for (i = 0; i < PyTuple_GET_SIZE(holds); i++) {
        PyObject *object = PyTuple_GET_ITEM(holds, i);
        enum lock_kind kind = kind_of(object);

        if (kind == LOCK_NONE)
            continue;
        if (found >= p->facts->holds || p->facts->hold[found].kind != kind ||
            p->facts->hold[found].object != ps_address_of(object))
            return false;
        found++;
    }
    return true;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static bool is_call(const struct probe *p, const char *name, PyObject *self, bool is_timed)
{
    struct c_call call;

    return value_stack_call(p->py, p->room, &p->stack.frames[0], &call) &&
           strcmp(call.name, name) == 0 && call.self == ps_address_of(self) &&
           call.is_timed == is_timed;
}

/* Does the checks that belong to the first call of `check`. Returns what is wrong, or NULL. */
static const char *check_variables(struct probe *p, PyObject *arguments)
{
    const struct raw_frame *frame = &p->stack.frames[0];
    ps_auto PyObject *code = (PyObject *)PyFrame_GetCode(PyEval_GetFrame());
    PyObject *words, *function;

    if (!PyArg_ParseTuple(arguments, "O!O!", &PyTuple_Type, &words, &PyFunction_Type, &function) ||
        PyTuple_GET_SIZE(words) < 6)
        return OFFSETS_WRONG("calls");
    if (!reads_shape(p, code) || !reads_function(p, function))
        return OFFSETS_WRONG("instructions");
    if (!reads_locals(p, frame, PyTuple_GET_ITEM(words, 0)) || !has_words(p, frame, words))
        return OFFSETS_WRONG("variables");
    return reads_classes(p, PyTuple_GET_ITEM(words, 4)) ? NULL : OFFSETS_WRONG("classes");
}

/* Does the checks that belong to the second call of `check`. Returns what is wrong, or NULL. */
static const char *check_blocks(struct probe *p, PyObject *arguments)
{
    const struct raw_frame *frame = &p->stack.frames[0];
    PyObject *managers;

    if (PyTuple_GET_SIZE(arguments) != ARGUMENTS)
        return OFFSETS_WRONG("calls");
    p->arguments = ps_new_ref(arguments);
    managers = argument(p, MANAGERS);
    if (!reads_bound(p, argument(p, ENTERING), "__exit__") ||
        !reads_bound(p, argument(p, COMPARED), "append"))
        return OFFSETS_WRONG("methods");
    if (!has_managers(p, frame, managers) ||
        !reads_generator(p, PyTuple_GET_ITEM(managers, 0), PyTuple_GET_ITEM(argument(p, HOLDS), 0)))
        return OFFSETS_WRONG("`with` blocks");
    if (!has_holds(p, argument(p, HOLDS)))
        return OFFSETS_WRONG("locks");
    return is_call(p, "check", p->self, false) ? NULL : OFFSETS_WRONG("calls");
}

/* Does the checks that belong to the third call of `check`, which list.count makes, or to the
 * fourth call, which a `with` block makes. Returns what is wrong, or NULL. */
static const char *check_later(const struct probe *p)
{
    bool right;

    if (p->calls == 3)
        right = is_call(p, "count", argument(p, COMPARED), true);
    else if (PY_MINOR_VERSION <= 13)
        right = is_call(p, "__enter__", argument(p, ENTERING), false);
    else
        right = is_call(p, "check", p->self, false);
    return right ? NULL : OFFSETS_WRONG("calls");
}

static const char *check_within(struct probe *p, PyObject *self, PyObject *arguments)
{
    p->calls++;
    p->self = self;
    frames_read(p->py, ps_address_of(PyThreadState_Get()), 0, &p->stack);
    if (p->stack.state != FRAMES_EXACT || p->stack.count == 0)
        return OFFSETS_WRONG("frames");
    if (p->calls == 1)
        return check_variables(p, arguments);
    if (p->calls == 2)
        return check_blocks(p, arguments);
    return p->arguments ? check_later(p) : NULL;
}

/* The function check(...), which the code in `source` calls. */
static PyObject *call_check(PyObject *self, PyObject *arguments)
{
    struct probe *p = PyCapsule_GetPointer(self, NULL);

    if (!p)
        return NULL;
    if (!p->wrong)
        p->wrong = check_within(p, self, arguments);
    PyErr_Clear();
    Py_RETURN_NONE;
}

static PyMethodDef check_method = {"check", call_check, METH_VARARGS, NULL};

/* ---- All of it ------------------------------------------------------------------------------- */

static const char *check_locks(struct probe *p)
{
    ps_auto PyObject *lock = make_lock("allocate_lock", "_thread.lock");
    ps_auto PyObject *other = make_lock("allocate_lock", "_thread.lock");
    ps_auto PyObject *stacked = make_lock("allocate_lock", "_thread.lock");
    ps_auto PyObject *recursive = make_lock("RLock", "_thread.RLock");
    ps_auto PyObject *type = ps_import_from("_collections", "deque");
    ps_auto PyObject *callbacks = type ? PyObject_CallObject(type, NULL) : NULL;
    ps_auto PyObject *locks = NULL;

    if (!reads_lock(p->py, LOCK_PLAIN, lock) || !reads_lock(p->py, LOCK_RLOCK, recursive))
        return OFFSETS_WRONG("locks");
    if (callbacks)
        locks = PyTuple_Pack(5, callbacks, lock ? lock : Py_None, other ? other : Py_None,
                             stacked ? stacked : Py_None, recursive ? recursive : Py_None);
    if (!locks)
        return "no memory";
    if (!ps_offsets_run(source, &check_method, p, locks) || (!p->wrong && p->calls != 4))
        return p->wrong ? p->wrong : OFFSETS_WRONG("calls");
    return p->wrong;
}

static const char *check_running(const struct python *py)
{
    struct probe p = {.py = py, .stack = {.room = FRAMES_MAX, .chunk_room = CHUNK_ROOM}};
    const char *wrong = "no memory";

    p.stack.frames = calloc(FRAMES_MAX, sizeof(*p.stack.frames));
    p.stack.chunk = malloc(CHUNK_ROOM);
    p.room = calloc(1, sizeof(*p.room));
    p.facts = calloc(1, sizeof(*p.facts));
    if (p.stack.frames && p.stack.chunk && p.room && p.facts)
        wrong = check_locks(&p);
    Py_XDECREF(p.arguments);
    arena_free(&p.arena);
    free(p.stack.frames);
    free(p.stack.chunk);
    free(p.room);
    free(p.facts);
    return wrong;
}

const char *ps_lock_offsets_check(const struct python *py)
{
    const char *wrong = check_sequences(py);

    if (!wrong)
        wrong = check_running(py);
    PyErr_Clear();
    return wrong;
}
