/* SPDX-License-Identifier: BSD-3-Clause */
#include "thread_names.h"

#include <inttypes.h>
#include <stdio.h>

#include "dicts.h"
#include "objects.h"

void names_find(const struct python *py, uint64_t interpreter, struct names *names)
{
    struct dict modules, module;
    uint64_t value, number;

    names->next = 0;
    names->shuts_down = false;
    names->known = modules_open(py, interpreter, &modules) &&
                   module_open(py, &modules, "threading", &module) &&
                   dict_find(py, &module, "_active", &names->active);
    if (names->known && dict_find(py, &module, "_SHUTTING_DOWN", &value) &&
        object_integer(py, value, &number))
        names->shuts_down = number != 0;
}

/* Sets *object to the Thread object with this ident in threading._active. Returns false if there is
 * no such object. */
static bool find_thread(const struct python *py, struct names *names, uint64_t ident,
                        uint64_t *object)
{
    struct dict active;
    uint64_t key, number;
    size_t i, at;

    if (!names->known || !dict_open(py, names->active, &active))
        return false;
    for (i = 0; i < active.count; i++) {
        at = (names->next + i) % active.count;
        if (!dict_entry(py, &active, at, &key, object))
            return false;
        if (*object && object_integer(py, key, &number) && number == ident) {
            names->next = at + 1;
            return true;
        }
    }
    return false;
}

/* The attributes of threading.Thread objects that are read. */
enum { NAME, IDENT, DAEMON, NATIVE_ID, ATTRIBUTES };

static const char *const attribute_names[ATTRIBUTES] = {
    [NAME] = "_name", [IDENT] = "_ident", [DAEMON] = "_daemonic", [NATIVE_ID] = "_native_id"};

/* How many attributes of one object are read at most, in case the memory is not a valid dict. */
#define ATTRIBUTES_MAX 4096

/* Sets each item of `found` to the address of the value of this attribute of a Thread object, or to
 * 0 if the object does not have the attribute. */
static void read_attributes(const struct python *py, uint64_t object, uint64_t found[ATTRIBUTES])
{
    struct dict d;

    memset(found, 0, ATTRIBUTES * sizeof(*found));
    if (!dict_open_attributes(py, object, &d))
        return;
    d.count = d.count < ATTRIBUTES_MAX ? d.count : ATTRIBUTES_MAX;
    dict_find_all(py, &d, attribute_names, ATTRIBUTES, found);
}

/* Returns the same text as threading.Thread.__repr__ does. */
static struct report_text make_repr(struct arena *arena, struct report_text type,
                                    const struct report_thread *t)
{
    static const char format[] = "<%.*s(%.*s, started%s %" PRId64 ")>";
    const char *daemon = t->daemon == BOOL_TRUE ? " daemon" : "";
    int len = snprintf(NULL, 0, format, (int)type.len, type.data, (int)t->name.len, t->name.data,
                       daemon, t->ident);
    char *text = len > 0 ? arena_alloc(arena, (size_t)len + 1) : NULL;

    if (!text)
        return (struct report_text){NULL, 0};
    snprintf(text, (size_t)len + 1, format, (int)type.len, type.data, (int)t->name.len,
             t->name.data, daemon, t->ident);
    return (struct report_text){text, (size_t)len};
}

void names_fill(const struct python *py, struct names *names, struct arena *arena,
                struct report_thread *thread)
{
    uint64_t found[ATTRIBUTES];
    struct report_text type;
    uint64_t object, number;

    if (!find_thread(py, names, (uint64_t)thread->ident, &object))
        return;
    read_attributes(py, object, found);
    /* Checks the ident again: the Thread object may have been freed, and other contents of this
     * memory are very unlikely to have the same ident. */
    if (!object_integer(py, found[IDENT], &number) || number != (uint64_t)thread->ident)
        return;
    thread->name = object_text(py, arena, found[NAME]);
    if (!thread->name.data)
        return;
    thread->name_from = NAME_FROM_THREADING;
    if (object_integer(py, found[DAEMON], &number))
        thread->daemon = number ? BOOL_TRUE : BOOL_FALSE;
    if (thread->native_id == REPORT_UNKNOWN && object_integer(py, found[NATIVE_ID], &number))
        thread->native_id = (int64_t)number;
    type = object_type_name(py, arena, object_type(py, object));
    if (type.data)
        thread->repr = make_repr(arena, type, thread);
    thread->repr_status = STATUS_SKIPPED;
}
