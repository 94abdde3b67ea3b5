/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Local objects for tests, and requests on them.
 */
#ifndef LOCAL_OBJECT_H
#define LOCAL_OBJECT_H

#include "link.h"
#include "local.h"

/* An id pack in hex, as it is on the wire. */
struct pack {
    char hex[256];
};

/* Sends an object to the peer once. Returns its id pack. */
struct pack show(struct link *l, rpyc_value *v);

/* The peer sends a request, seq 7, with arguments. Returns the payload of the reply. */
struct bytes ask(struct link *l, int handler, const char *format, ...);

/* Checks that the reply to a request is a box. */
#define assert_answers(box, l, ...)                                                                \
    do {                                                                                           \
        AUTO_BYTES answer_ = ask(l, __VA_ARGS__);                                                  \
        assert_bytes(answer_.data, answer_.len, "021157" box);                                     \
        hears_no_more(&(l)->peer);                                                                 \
    } while (0)

/* Checks that the reply to a request is an exception of a class, with a text in it. */
#define assert_raises(class_name, text, l, ...)                                                    \
    do {                                                                                           \
        AUTO_BYTES answer_ = ask(l, __VA_ARGS__);                                                  \
        assert_bytes(answer_.data, 3, "031157");                                                   \
        assert_contains(&answer_, class_name);                                                     \
        assert_contains(&answer_, text);                                                           \
        hears_no_more(&(l)->peer);                                                                 \
    } while (0)

/* Returns the id pack of the object in the reply to a request. */
struct pack pack_in(const struct bytes *answer);

#define TRUE "1151 03"

#define assert_begins(text, beginning) assert_memory_equal(text, beginning, strlen(beginning))

/* Formats of boxes for ask: a reference to a local object, a name in hex. */
#define OBJ     "1153 %s"
#define UNKNOWN "12 080a61 51 51"

#define SIZE  "1151 080d 73697a65" /* "size" */
#define OTHER "1151 080a 78"       /* "x" */

/* An object with the attribute "size" and the methods "go" and "up". */
struct thing {
    int64_t size;
    bool deleted;
    int destroyed;
    int called;
    enum rpyc_errcode fails; /* the result of setattr */
    char method[8];          /* the method that was called last */
    size_t args, kwargs;     /* how many arguments the method got */
};

extern const struct rpyc_ops thing_ops, bare_ops;

/* Make values. */
rpyc_value *object(const struct rpyc_ops *ops, void *self);
rpyc_value *function(rpyc_function_fn f, void *arg);

/* Declares a connection, an object, its value, and the id pack by which the peer was shown it. */
#define SHOW_THING(l, t, v, pack)                                                                  \
    AUTO_LINK l = link_open(-1);                                                                   \
    struct thing t = {0};                                                                          \
    AUTO_VALUE *v = object(&thing_ops, &(t));                                                      \
    struct pack pack = show(&(l), v)

/* Drops the test's own reference to v. */
static inline void drop(rpyc_value **v)
{
    rpyc_unref(*v);
    *v = NULL;
}

/* A function that does nothing. */
int nothing(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
            struct rpyc_error *err);
/* A function that adds *arg to its argument. */
int add(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out, struct rpyc_error *err);

#endif
