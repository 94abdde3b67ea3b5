/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame_objects.h"

#include <stdlib.h>
#include <string.h>

#include "own_offsets.h"
#include "reference.h"
#include "without_gil.h"

#if PY_VERSION_HEX < 0x030b0000
#include <frameobject.h> /* PyFrame_Check */
#endif

const char ps_frame_objects_doc[] =
    "frame_objects(frames)\n--\n\n"
    "Return a list that has an item for each frame of the list `frames`: None if the\n"
    "frame cannot be read, else a tuple (argument, managers). argument is a list with\n"
    "the first local variable; the list is empty if the variable has no value.\n"
    "managers is a list of (manager, offset): the managers whose `with` blocks the frame\n"
    "has entered and not left, the innermost first, and the offset in co_code of the\n"
    "instruction that called __enter__, or -1.\n"
    "The frames must be suspended, as the frames of a greenlet that does not run. The\n"
    "calling thread keeps the GIL for all of them: give only some hundreds.\n"
    "Returns None if another thread uses the reader, or if there is no reader.";

/* The references that one frame has, as new references. */
struct found {
    bool is_read;
    PyObject *argument; /* may be NULL */
    size_t count;
    struct {
        PyObject *manager;
        int64_t enter;
    } * managers;
};

/* Returns the address by which the stack reader knows the frame of a frame object. */
static uint64_t address_of(PyObject *frame)
{
    uint64_t address;

    if (ps_frame_pointer < 0)
        return (uint64_t)(uintptr_t)frame;
    memcpy(&address, (const char *)frame + ps_frame_pointer, sizeof(address));
    return address;
}

static PyObject *object_at(uint64_t address)
{
    return ps_new_ref((PyObject *)(uintptr_t)address);
}

/* Takes the references of one frame. No Python object is made here: this could run the garbage
 * collector, and with it code of the program. */
static bool take(struct stackreader *r, PyObject *frame, struct found *found)
{
    struct stackreader_frame read;
    size_t i;

    if (!PyFrame_Check(frame) || !stackreader_frame(r, address_of(frame), &read))
        return true;
    found->managers = read.managers > 0 ? calloc(read.managers, sizeof(*found->managers)) : NULL;
    if (read.managers > 0 && !found->managers)
        return false;
    found->is_read = true;
    found->argument = object_at(read.first_argument);
    found->count = read.managers;
    for (i = 0; i < read.managers; i++) {
        found->managers[i].manager = object_at(read.manager[i].address);
        found->managers[i].enter = read.manager[i].enter;
    }
    return true;
}

static void free_found(struct found *found, Py_ssize_t count)
{
    Py_ssize_t i;
    size_t k;

    for (i = 0; i < count; i++) {
        Py_XDECREF(found[i].argument);
        for (k = 0; k < found[i].count; k++)
            Py_XDECREF(found[i].managers[k].manager);
        free(found[i].managers);
    }
    free(found);
}

/* ---- As Python objects ----------------------------------------------------------------------- */

/* Returns the item that frame_objects() returns for one frame: a new reference, or NULL with an
 * exception. */
static PyObject *tuple_of(const struct found *found)
{
    ps_auto PyObject *argument = PyList_New(0), *managers = PyList_New(0);
    size_t i;

    if (!found->is_read)
        return ps_new_ref(Py_None);
    if (!argument || !managers || (found->argument && PyList_Append(argument, found->argument) < 0))
        return NULL;
    for (i = 0; i < found->count; i++) {
        PyObject *manager = found->managers[i].manager;
        ps_auto PyObject *pair =
            manager ? Py_BuildValue("OL", manager, (long long)found->managers[i].enter) : NULL;

        if (manager && (!pair || PyList_Append(managers, pair) < 0))
            return NULL;
    }
    return Py_BuildValue("OO", argument, managers);
}

static PyObject *list_of(const struct found *found, Py_ssize_t count)
{
    ps_auto PyObject *list = PyList_New(0);
    Py_ssize_t i;

    for (i = 0; list && i < count; i++) {
        ps_auto PyObject *tuple = tuple_of(&found[i]);

        if (!tuple || PyList_Append(list, tuple) < 0)
            return NULL;
    }
    return ps_steal(&list);
}

PyObject *ps_frame_objects(PyObject *module, PyObject *frames)
{
    struct ps_state *state = PyModule_GetState(module);
    Py_ssize_t count, i;
    struct stackreader *r;
    struct found *found;
    PyObject *result;
    bool done = true;

    if (!PyList_CheckExact(frames))
        return PyErr_Format(PyExc_TypeError, "frames must be a list");
    count = PyList_GET_SIZE(frames);
    found = calloc((size_t)count + 1, sizeof(*found));
    if (!found)
        return PyErr_NoMemory();
    r = ps_without_gil_take_reader(state);
    if (!r) {
        free(found);
        return ps_new_ref(Py_None);
    }
    stackreader_begin_frames(r);
    for (i = 0; done && i < count; i++)
        done = take(r, PyList_GET_ITEM(frames, i), &found[i]);
    ps_without_gil_return_reader(state);
    result = done ? list_of(found, count) : PyErr_NoMemory();
    free_found(found, count);
    return result;
}

/* ---- Referents ------------------------------------------------------------------------------- */

const char ps_referents_doc[] =
    "referents(objects)\n--\n\n"
    "Return a list that has an item for each object of the list `objects`: a list of the\n"
    "objects to which it refers. gc.get_referents() does the same, but returns nothing for\n"
    "a greenlet that has begun, since the garbage collector cannot collect it.";

/* New references. */
struct references {
    PyObject **items;
    size_t count, room;
};

/* A visitproc. Returns 1 if there is no memory. */
static int add_reference(PyObject *object, void *context)
{
    struct references *to = context;

    if (to->count == to->room) {
        size_t room = to->room > 0 ? 2 * to->room : 64;
        PyObject **items = reallocarray(to->items, room, sizeof(*items));

        if (!items)
            return 1;
        to->items = items;
        to->room = room;
    }
    to->items[to->count++] = ps_new_ref(object);
    return 0;
}

static void free_references(struct references *from)
{
    while (from->count > 0)
        Py_DECREF(from->items[--from->count]);
    free(from->items);
}

static PyObject *list_of_references(const struct references *from)
{
    ps_auto PyObject *list = PyList_New(0);
    size_t i;

    for (i = 0; list && i < from->count; i++) {
        if (PyList_Append(list, from->items[i]) < 0)
            return NULL;
    }
    return ps_steal(&list);
}

/* Returns the list that referents() returns for one object: a new reference, or NULL with an
 * exception. */
static PyObject *referents_of(PyObject *object)
{
    traverseproc traverse = Py_TYPE(object)->tp_traverse;
    struct references found = {0};
    PyObject *list;

    if (PyType_IS_GC(Py_TYPE(object)) && traverse && traverse(object, add_reference, &found) != 0)
        list = PyErr_NoMemory();
    else
        list = list_of_references(&found);
    free_references(&found);
    return list;
}

PyObject *ps_referents(PyObject *module, PyObject *objects)
{
    ps_auto PyObject *result = PyList_New(0);
    Py_ssize_t i;

    (void)module;
    if (!PyList_CheckExact(objects))
        return PyErr_Format(PyExc_TypeError, "objects must be a list");
    for (i = 0; result && i < PyList_GET_SIZE(objects); i++) {
        ps_auto PyObject *object = ps_new_ref(PyList_GET_ITEM(objects, i));
        ps_auto PyObject *list = referents_of(object);

        if (!list || PyList_Append(result, list) < 0)
            return NULL;
    }
    return ps_steal(&result);
}

/* ---- Instances ------------------------------------------------------------------------------- */

const char ps_instances_doc[] =
    "instances(classes)\n--\n\n"
    "Return a list of the objects whose type is one of the classes in the list `classes`,\n"
    "among all objects that the garbage collector knows, in no order. Returns None before\n"
    "Python 3.12.";

#if PY_VERSION_HEX >= 0x030c0000

#define FILTER_SIZE 1024

/* The classes whose instances are looked for, and the instances that were found. */
struct instances {
    PyObject *const *classes;
    size_t class_count;
    struct references found;
    bool failed;              /* no memory */
    bool may_be[FILTER_SIZE]; /* false: no class has an address with this hash */
};

static size_t hash_of(const void *class)
{
    return (uintptr_t) class / 16 % FILTER_SIZE;
}

/* A gcvisitobjects_t. Makes no Python object. */
static int add_instance(PyObject *object, void *context)
{
    struct instances *wanted = context;
    size_t i;

    if (!wanted->may_be[hash_of(Py_TYPE(object))])
        return 1;
    for (i = 0; i < wanted->class_count; i++) {
        if ((PyObject *)Py_TYPE(object) != wanted->classes[i])
            continue;
        wanted->failed = add_reference(object, &wanted->found) != 0;
        break;
    }
    return !wanted->failed;
}

PyObject *ps_instances(PyObject *module, PyObject *classes)
{
    ps_auto PyObject *tuple = NULL;
    struct instances wanted = {0};
    PyObject *list;
    size_t i;

    (void)module;
    if (!PyList_CheckExact(classes))
        return PyErr_Format(PyExc_TypeError, "classes must be a list");
    tuple = PyList_AsTuple(classes);
    if (!tuple)
        return NULL;
    wanted.class_count = (size_t)PyTuple_GET_SIZE(tuple);
    wanted.classes = ((PyTupleObject *)tuple)->ob_item;
    for (i = 0; i < wanted.class_count; i++)
        wanted.may_be[hash_of(wanted.classes[i])] = true;
    PyUnstable_GC_VisitObjects(add_instance, &wanted);
    list = wanted.failed ? PyErr_NoMemory() : list_of_references(&wanted.found);
    free_references(&wanted.found);
    return list;
}

#else

PyObject *ps_instances(PyObject *module, PyObject *classes)
{
    (void)module;
    (void)classes;
    return ps_new_ref(Py_None);
}

#endif
