/* SPDX-License-Identifier: BSD-3-Clause
 *
 * librpyc: Python objects in another process, from C.
 *
 * A Python program that runs an RPyC classic server (rpyc_classic.py, or `import pystuck;
 * pystuck.run_server()`) can be reached from C:
 *
 *     struct rpyc_error err = RPYC_ERROR_INIT;
 *     rpyc_conn *conn = NULL;
 *     rpyc_value *sys = NULL, *version = NULL;
 *
 *     if (rpyc_connect_tcp(&conn, "127.0.0.1", "6666", NULL, &err) == 0 &&
 *         rpyc_module(conn, "sys", &sys, &err) == 0 &&
 *         rpyc_getattr(sys, "version", &version, &err) == 0)
 *         puts(rpyc_str(version, NULL));
 *     else
 *         fprintf(stderr, "%s\n", err.text);
 *
 *     rpyc_unref(version);
 *     rpyc_unref(sys);
 *     rpyc_close(conn);
 *     rpyc_error_clear(&err);
 *
 * Values (None, numbers, strings, tuples of such) are copied; everything else stays where it is,
 * and what C holds is a *netref*, a counted reference to an object in the other process. Both are
 * an rpyc_value.
 *
 * Every function that can fail returns 0 or -1 and, on -1, fills the rpyc_error that it was given
 * (which may be NULL). No function prints, exits, or raises a signal. A connection and its values
 * may be used by several threads at once; each waits for its own replies.
 */
#ifndef RPYC_H
#define RPYC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RPYC_API __attribute__((visibility("default")))
#else
#define RPYC_API
#endif

typedef struct rpyc_conn rpyc_conn;
typedef struct rpyc_value rpyc_value;

/* ---- Errors --------------------------------------------------------------------------------- */

enum rpyc_errcode {
    RPYC_OK = 0,
    RPYC_ESYSTEM,    /* a system call failed: sys_errno says how */
    RPYC_ERESOLVE,   /* the host name could not be resolved */
    RPYC_ECLOSED,    /* the connection is closed, by the peer or by us */
    RPYC_EPROTOCOL,  /* the peer sent what the protocol does not allow */
    RPYC_ELIMIT,     /* a limit on size or depth was passed */
    RPYC_ETIMEOUT,   /* the deadline passed */
    RPYC_ENOMEM,     /* out of memory */
    RPYC_EREMOTE,    /* the other side raised an exception: see remote */
    RPYC_ETYPE,      /* the value is not of the type that was asked for */
    RPYC_EINVAL,     /* an argument makes no sense */
    RPYC_EINTERRUPT, /* the wait was given up on a signal */
    RPYC_ECANCELED,  /* the wait was cancelled */
    RPYC_ETLS,       /* TLS: a certificate, a key, or what the peer makes of it */
    RPYC_EGENERATION /* the server speaks another rpyc than it was asked in, and then failed on a
                      * second connection: give the generation */
};

/* An exception that was raised in the other process. */
struct rpyc_exception;

/* What went wrong. Starts as RPYC_ERROR_INIT, is filled by the function that fails, and owns
 * remote: give it to rpyc_error_clear before it is used again or goes out of scope. */
struct rpyc_error {
    enum rpyc_errcode code;
    int sys_errno;                 /* with RPYC_ESYSTEM, else 0 */
    char text[256];                /* one line for a person, no newline; cut off if longer */
    struct rpyc_exception *remote; /* with RPYC_EREMOTE, else NULL; owned */
};

/* clang-format off */
#define RPYC_ERROR_INIT {RPYC_OK, 0, "", NULL}
/* clang-format on */

/* Frees what err owns and makes it RPYC_ERROR_INIT again. NULL is allowed. */
RPYC_API void rpyc_error_clear(struct rpyc_error *err);

/* The remote exception's module ("builtins"), class name ("KeyError"), and traceback text as the
 * other side formatted it. Borrowed from exc, UTF-8, never NULL. */
RPYC_API const char *rpyc_exception_module(const struct rpyc_exception *exc);
RPYC_API const char *rpyc_exception_name(const struct rpyc_exception *exc);
RPYC_API const char *rpyc_exception_traceback(const struct rpyc_exception *exc);

/* Its arguments, a tuple (of what could not go by value, the repr), and the value of an attribute,
 * NULL if it has none of that name. Borrowed from exc. */
RPYC_API rpyc_value *rpyc_exception_args(const struct rpyc_exception *exc);
RPYC_API rpyc_value *rpyc_exception_attribute(const struct rpyc_exception *exc, const char *name);

/* Whether err is a remote exception of just this class: "KeyError" means builtins.KeyError, any
 * other is named in full, "binascii.Error". Base classes are not known on this side. */
RPYC_API bool rpyc_error_is(const struct rpyc_error *err, const char *class_name);

/* ---- Connections ---------------------------------------------------------------------------- */

/* The generation of rpyc on the other side; the two cannot understand each other. */
enum rpyc_generation {
    RPYC_GENERATION_AUTO = 0, /* find out; costs more connects where the peer is a 5 */
    RPYC_GENERATION_5 = 5,    /* rpyc 4.1 to 5.3 */
    RPYC_GENERATION_6 = 6     /* rpyc 6.0 and later */
};

/* How a server was found to speak. Starts as zeros: not known. */
struct rpyc_dialect {
    enum rpyc_generation generation;
    bool bind_threads; /* it runs with RPYC_BIND_THREADS: messages carry thread ids */
};

/* TLS. Zero is the default of each. The server's certificate and its name are checked, unless told
 * otherwise. */
struct rpyc_tls {
    const char *ca_file;     /* who may have signed it, PEM; NULL: whom the system trusts */
    const char *cert_file;   /* ours, PEM, with its chain; NULL: none */
    const char *key_file;    /* its key, PEM, without a passphrase; NULL: in cert_file */
    const char *server_name; /* what it must be called; NULL: the host that is connected to */
    bool insecure_no_verify; /* take any certificate: anyone in between can read and change all */
};

/* How to connect. Zero is the default of each; a NULL pointer is all zeros. */
struct rpyc_options {
    enum rpyc_generation generation;
    bool bind_threads;      /* with a generation given: it runs with RPYC_BIND_THREADS */
    int connect_timeout_ms; /* for all of connecting; 0: 10 s; negative: none */
    int request_timeout_ms; /* for the reply to one request, and for the other side to read some of
                             * what it is sent; 0: 30 s; negative: none */
    size_t max_frame;       /* bytes in one message, before and after decompression; 0: 256 MiB. A
                             * longer reply is RPYC_ELIMIT for its request; the connection lives */
    const struct rpyc_tls *tls; /* NULL: none. Needs librpyc-ssl to be installed */

    /* With AUTO, the caller's memory of one address, or NULL: what is in it is tried first, and
     * what was found is put there. A wrong guess costs a second connect, and a traceback in the log
     * of a stock server. One for each address; not for two threads at once. */
    struct rpyc_dialect *remembered;

    /* Called with each socket that was connected, before anything is sent on it: to find out who
     * listens there, say. The socket is borrowed. 0: go on; -1 with *err filled: hang up, and
     * connecting fails with that error. NULL: none. Not for rpyc_connect_fd. */
    int (*check)(int fd, void *check_data, struct rpyc_error *err);
    void *check_data;

    /* With AUTO, may be NULL. A server that is silent for 300 ms may be busy, or one that ignores
     * what it does not understand, such as a stock ThreadPoolServer: librpyc then asks in the other
     * ways, on up to three more connections, and takes the first answer. Before it does so it calls
     * is_certain(is_certain_arg), once: true if the server is known to understand rpyc 6, as a
     * pystuck server does, or what was remembered. Then the one connection is waited for. */
    bool (*is_certain)(void *arg);
    void *is_certain_arg;
};

/* Connects to a server and finds out which rpyc it speaks.
 *   out      gets the connection, owned by the caller: rpyc_close
 *   host     a name or an address, IPv4 or IPv6; every address of a name is tried in turn
 *   port     a number or a service name
 *   options  may be NULL
 * Errors: RPYC_ERESOLVE, RPYC_ESYSTEM (sys_errno is connect's), RPYC_ETIMEOUT, RPYC_ECLOSED when
 * the server accepts and hangs up, RPYC_EPROTOCOL when it does not speak RPyC, RPYC_EGENERATION
 * when it serves one connection only (OneShotServer), which the guess has used up, RPYC_ENOMEM. */
RPYC_API int rpyc_connect_tcp(rpyc_conn **out, const char *host, const char *port,
                              const struct rpyc_options *options, struct rpyc_error *err);

/* The same over a Unix socket. path is a file's name, or "@name" for the abstract name. */
RPYC_API int rpyc_connect_unix(rpyc_conn **out, const char *path,
                               const struct rpyc_options *options, struct rpyc_error *err);

/* Says goodbye, hangs up, and gives up the caller's hold. NULL is allowed. Values of the connection
 * that are still held stay valid to unref, and every request on them fails with RPYC_ECLOSED. */
RPYC_API void rpyc_close(rpyc_conn *conn);

/* Which generation the other side was found to be, and how else it speaks. */
RPYC_API enum rpyc_generation rpyc_conn_generation(const rpyc_conn *conn);
RPYC_API struct rpyc_dialect rpyc_conn_dialect(const rpyc_conn *conn);

/* Sends data there and back. Fails with RPYC_EPROTOCOL when something else comes back. */
RPYC_API int rpyc_ping(rpyc_conn *conn, const void *data, size_t len, struct rpyc_error *err);

/* The same over a socket that is connected already, which is taken, also at failure. There is no
 * second try on it, so options->generation has to say what is there, and bind_threads too:
 * RPYC_EINVAL for AUTO. */
RPYC_API int rpyc_connect_fd(rpyc_conn **out, int fd, const struct rpyc_options *options,
                             struct rpyc_error *err);

/* From now on, how long a request waits for its reply; ms as in rpyc_options. */
RPYC_API void rpyc_set_timeout(rpyc_conn *conn, int request_timeout_ms);

/* How long that is now, in ms; negative: for ever. */
RPYC_API int rpyc_timeout(const rpyc_conn *conn);

/* For callers with a loop of their own: the socket, to be polled for POLLIN, and what is to be
 * called when it is readable: sees to all that has arrived (replies, requests of the other side)
 * and waits for more at most timeout_ms (0: not at all; negative: until something comes). Call it
 * with 0 before each poll too: a request that waits may have read more than its own reply. Returns
 * how many messages it was; 0 when the time was over; -1 at an error or at the end, RPYC_ECLOSED.
 */
RPYC_API int rpyc_fd(const rpyc_conn *conn);
RPYC_API int rpyc_process(rpyc_conn *conn, int timeout_ms, struct rpyc_error *err);

/* The same, but sees to so many messages at most (1 or more), for a peer that never stops sending
 * would keep rpyc_process for ever. Where it returns that many there may be more, which the socket
 * need not tell of: call it again before the next poll. */
RPYC_API int rpyc_process_some(rpyc_conn *conn, int most, int timeout_ms, struct rpyc_error *err);

/* Serves the other side until it hangs up (0) or something goes wrong (-1). */
RPYC_API int rpyc_serve(rpyc_conn *conn, struct rpyc_error *err);

/* ---- Values and netrefs ---------------------------------------------------------------------- */

enum rpyc_type {
    RPYC_NONE,
    RPYC_BOOL,
    RPYC_INT,
    RPYC_FLOAT,
    RPYC_COMPLEX,
    RPYC_STR,
    RPYC_BYTES,
    RPYC_TUPLE,
    RPYC_FROZENSET,
    RPYC_SLICE,
    RPYC_ELLIPSIS,
    RPYC_NOTIMPLEMENTED,
    RPYC_NETREF, /* an object of the other side */
    RPYC_OBJECT  /* an object of ours: rpyc_object */
};

/* One more reference; returns value. */
RPYC_API rpyc_value *rpyc_ref(rpyc_value *value);

/* One reference less. With the last one a netref gives its object back to the other side (with the
 * next request that is sent: freeing 10,000 of them is one message). NULL is allowed. */
RPYC_API void rpyc_unref(rpyc_value *value);

/* The type of a value. It and all that look at values, and requests, take NULL, as rpyc_item gives
 * it beyond the end: that is an RPYC_NONE, and neither a str nor a number nor anything else. */
RPYC_API enum rpyc_type rpyc_type_of(const rpyc_value *value);

/* The text of a str, the bytes of a bytes: NUL-terminated, borrowed from value, and its length in
 * bytes in *len unless len is NULL (the content may hold NULs). NULL for any other type. */
RPYC_API const char *rpyc_str(const rpyc_value *value, size_t *len);
RPYC_API const void *rpyc_bytes(const rpyc_value *value, size_t *len);

/* The number in *out. Fails with RPYC_ETYPE where value is not an int (a bool is one, as in Python)
 * or does not fit. */
RPYC_API int rpyc_int64(const rpyc_value *value, int64_t *out, struct rpyc_error *err);

/* The decimal digits of an int that does not fit an int64_t, with its sign; NULL for any other
 * value. */
RPYC_API const char *rpyc_int_digits(const rpyc_value *value);

/* The number in *out; an int is taken too where a double holds it exactly. Else RPYC_ETYPE. */
RPYC_API int rpyc_double(const rpyc_value *value, double *out, struct rpyc_error *err);

/* Both parts of a complex; a float or an int is one too, as above. Else RPYC_ETYPE. */
RPYC_API int rpyc_complex(const rpyc_value *value, double *real, double *imag,
                          struct rpyc_error *err);

/* How many items a tuple, frozenset or slice (3) has, else 0; and the i-th one, borrowed, NULL
 * beyond. */
RPYC_API size_t rpyc_length(const rpyc_value *value);
RPYC_API rpyc_value *rpyc_item(const rpyc_value *value, size_t i);

/* The class of a netref as the other side names it ("builtins.list"), borrowed; NULL for a value.
 */
RPYC_API const char *rpyc_class_name(const rpyc_value *value);

/* ---- Formats ----------------------------------------------------------------------------------
 */

/* Values are made, and arguments given, by a format: one letter for each, and its C arguments.
 *
 *     s  const char *: a str, which must be UTF-8, or None for NULL   N  nothing: None
 *     z  const char *, size_t: a str that may hold NULs               E  nothing: Ellipsis
 *     y  const void *, size_t: a bytes                                X  nothing: NotImplemented
 *     i  int   l  int64_t   u  uint64_t: an int                       O  rpyc_value *, borrowed
 *     n  const char *: an int of any size, its decimal digits
 *     d  double: a float   c  double, double: a complex   b  int: a bool
 *
 *     ( )  a tuple    { }  a frozenset    [ ]  a slice, of three: "[iiN]"
 *
 * Blanks and commas between them are passed over. In the format of a call, what follows the
 * positional arguments may be keywords, "name=letter":
 *
 *     rpyc_callattr(list, "sort", NULL, &err, "key=O, reverse=b", key, 1)
 *
 * and arguments that are collected already come as in Python, by a "*" for a tuple of them and a
 * "**" for a tuple of (name, value) pairs, both rpyc_value *, borrowed.
 *
 * Errors: RPYC_EINVAL for a format that makes no sense, a str that is not UTF-8, digits that are
 * none, or a netref of another connection. */

/* Makes a value: None for an empty format, one value for one item, a tuple for several. */
RPYC_API int rpyc_build(rpyc_value **out, struct rpyc_error *err, const char *format, ...);

/* Encodes a plain value as brine. *data is allocated: free() it. Errors: RPYC_ETYPE for a netref or
 * a local object, or a tuple that contains one; RPYC_ENOMEM. */
RPYC_API int rpyc_dump(const rpyc_value *value, void **data, size_t *len, struct rpyc_error *err);

/* Makes a tuple of count values, which are borrowed. */
RPYC_API int rpyc_pack(rpyc_value **out, rpyc_value *const *items, size_t count,
                       struct rpyc_error *err);

/* ---- Requests -------------------------------------------------------------------------------- */

/* Each asks for something to be done with the object that a netref stands for, and waits. out gets
 * a new reference; NULL drops the result. Names and values are borrowed.
 *
 * Errors, beside those of the connection: RPYC_EREMOTE with the exception; RPYC_ETYPE where obj is
 * not a netref, or where the answer is not of the type that it must have. */
RPYC_API int rpyc_getattr(rpyc_value *obj, const char *name, rpyc_value **out,
                          struct rpyc_error *err);
RPYC_API int rpyc_setattr(rpyc_value *obj, const char *name, rpyc_value *value,
                          struct rpyc_error *err);
RPYC_API int rpyc_delattr(rpyc_value *obj, const char *name, struct rpyc_error *err);

RPYC_API int rpyc_call(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err,
                       const char *format, ...);
RPYC_API int rpyc_callattr(rpyc_value *obj, const char *name, rpyc_value **out,
                           struct rpyc_error *err, const char *format, ...);

/* obj[key], obj[key] = value, del obj[key]; a key may be a slice. */
RPYC_API int rpyc_getitem(rpyc_value *obj, rpyc_value *key, rpyc_value **out,
                          struct rpyc_error *err);
RPYC_API int rpyc_setitem(rpyc_value *obj, rpyc_value *key, rpyc_value *value,
                          struct rpyc_error *err);
RPYC_API int rpyc_delitem(rpyc_value *obj, rpyc_value *key, struct rpyc_error *err);

/* len(obj), and value in obj. */
RPYC_API int rpyc_len(rpyc_value *obj, size_t *out, struct rpyc_error *err);
RPYC_API int rpyc_contains(rpyc_value *obj, rpyc_value *value, bool *out, struct rpyc_error *err);

/* obj <op> other, where op is one of < <= == != > >=. */
RPYC_API int rpyc_compare(rpyc_value *obj, const char *op, rpyc_value *other, bool *out,
                          struct rpyc_error *err);

/* hash(obj); isinstance(obj, cls), both netrefs of one connection; bool(obj), of any value. */
RPYC_API int rpyc_hash(rpyc_value *obj, int64_t *out, struct rpyc_error *err);
RPYC_API int rpyc_isinstance(rpyc_value *obj, rpyc_value *cls, bool *out, struct rpyc_error *err);
RPYC_API int rpyc_truth(rpyc_value *obj, bool *out, struct rpyc_error *err);

/* repr(obj) and str(obj) as a str; dir(obj) as a tuple of str; pickle.dumps(obj, protocol) as a
 * bytes. */
RPYC_API int rpyc_repr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_tostr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_dir(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_pickle(rpyc_value *obj, int protocol, rpyc_value **out, struct rpyc_error *err);

/* A context manager: enter gives what `with obj as x` would. exit leaves it, with an exception or,
 * where that is NULL, without one: a netref, made for instance by calling a class of rpyc_builtin.
 * *suppressed, which may be NULL: whether `with` would go on after it as if nothing had happened.
 */
RPYC_API int rpyc_enter(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_exit(rpyc_value *obj, rpyc_value *exception, bool *suppressed,
                       struct rpyc_error *err);

/* Iteration: `for item in obj`. Items are fetched many at a time. */
typedef struct rpyc_iter rpyc_iter;
RPYC_API int rpyc_iterate(rpyc_value *obj, rpyc_iter **out, struct rpyc_error *err);

/* 1: *item is the next one, a new reference. 0: there is none. -1: an error. */
RPYC_API int rpyc_next(rpyc_iter *iter, rpyc_value **item, struct rpyc_error *err);
RPYC_API void rpyc_iter_free(rpyc_iter *iter);

/* ---- Requests without waiting -----------------------------------------------------------------
 */

/* A request under way. Any number may be; their replies come in any order. */
typedef struct rpyc_pending rpyc_pending;

RPYC_API int rpyc_start_getattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                                struct rpyc_error *err);
RPYC_API int rpyc_start_call(rpyc_value *obj, rpyc_pending **out, struct rpyc_error *err,
                             const char *format, ...);
RPYC_API int rpyc_start_callattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                                 struct rpyc_error *err, const char *format, ...);

/* Waits for the result at most timeout_ms (0: the connection's request timeout; negative: for
 * ever). It can be fetched once. RPYC_ETIMEOUT leaves the request as it is: wait again.
 * RPYC_ECANCELED: by rpyc_pending_cancel. */
RPYC_API int rpyc_pending_wait(rpyc_pending *pending, int timeout_ms, rpyc_value **out,
                               struct rpyc_error *err);

/* Whether rpyc_pending_wait would return at once. Reads nothing: rpyc_process does. */
RPYC_API bool rpyc_pending_is_done(rpyc_pending *pending);

/* Has notify(arg) called once the result is there or the connection is closed: now, or by whichever
 * thread reads the reply, which it must not keep; rpyc_pending_wait is allowed in it. */
RPYC_API void rpyc_pending_notify(rpyc_pending *pending, void (*notify)(void *arg), void *arg);

/* Makes a wait in another thread return RPYC_ECANCELED. What was asked for is done over there all
 * the same. */
RPYC_API void rpyc_pending_cancel(rpyc_pending *pending);

/* Gives the request up, done or not. Nobody may be waiting for it. NULL is allowed. */
RPYC_API void rpyc_pending_free(rpyc_pending *pending);

/* ---- Objects of ours ---------------------------------------------------------------------------
 */

/* What an object that C shows to the other side can do. Results go to *out, which is NULL before:
 * left alone, it means None. Each function but destroy returns 0, or -1 with err filled: an
 * exception by rpyc_raise, any other error as a RuntimeError. NULL functions raise what Python
 * would. They are called while a request of ours waits, from rpyc_process and from rpyc_serve. */
struct rpyc_ops {
    const char *class_name;     /* what its class is called there; NULL: "librpyc.Object" */
    const char *const *methods; /* names that call answers, ended by NULL; or NULL */

    int (*getattr)(void *self, const char *name, rpyc_value **out, struct rpyc_error *err);
    /* value is borrowed; NULL: delete the attribute */
    int (*setattr)(void *self, const char *name, rpyc_value *value, struct rpyc_error *err);
    /* method: one of methods, or NULL for the object itself. args: a tuple, kwargs: a tuple of
     * (name, value) */
    int (*call)(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                rpyc_value **out, struct rpyc_error *err);
    /* str() and repr() of it: a str */
    int (*str)(void *self, rpyc_value **out, struct rpyc_error *err);
    /* the last reference, of either side, is gone */
    void (*destroy)(void *self);
};

/* A value for an object of ours, to be given as an argument or as a result. ops must stay. */
RPYC_API int rpyc_object(rpyc_value **out, const struct rpyc_ops *ops, void *self,
                         struct rpyc_error *err);

/* A value for a function of ours. */
typedef int (*rpyc_function_fn)(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                                struct rpyc_error *err);
RPYC_API int rpyc_function(rpyc_value **out, rpyc_function_fn function, void *arg,
                           struct rpyc_error *err);

/* What rpyc_object was made with; NULL for any other value. */
RPYC_API void *rpyc_object_self(const rpyc_value *value);

/* Fills err with an exception for the other side: "ValueError", "KeyError", ... Always returns -1.
 */
RPYC_API int rpyc_raise(struct rpyc_error *err, const char *class_name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sends a request by the number of its handler, with the arguments that a format makes, and waits:
 * for handlers that have no function here. Errors: as above; a server that does not know the number
 * answers with an exception. */
RPYC_API int rpyc_request(rpyc_conn *conn, int handler, rpyc_value **out, struct rpyc_error *err,
                          const char *format, ...);

/* ---- The classic service --------------------------------------------------------------------- */

/* The root object: the service. A new reference. */
RPYC_API int rpyc_root(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

/* Imports a module there ("os.path") and gives a netref to it; and whether it could be imported. */
RPYC_API int rpyc_module(rpyc_conn *conn, const char *name, rpyc_value **out,
                         struct rpyc_error *err);
RPYC_API int rpyc_has_module(rpyc_conn *conn, const char *name, bool *out, struct rpyc_error *err);

/* One of the builtins there: "len", "ValueError". */
RPYC_API int rpyc_builtin(rpyc_conn *conn, const char *name, rpyc_value **out,
                          struct rpyc_error *err);

/* Evaluates an expression, or executes statements, in the connection's own namespace there; and
 * that namespace, a netref to a dict. */
RPYC_API int rpyc_eval(rpyc_conn *conn, const char *text, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_execute(rpyc_conn *conn, const char *text, struct rpyc_error *err);
RPYC_API int rpyc_namespace(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

#ifdef __cplusplus
}
#endif

#endif
