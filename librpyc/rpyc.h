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
 * may be used by one thread at a time.
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

/* ---- Errors --------------------------------------------------------------------------------- */

enum rpyc_errcode {
    RPYC_OK = 0,
    RPYC_ESYSTEM,   /* a system call failed: sys_errno says how */
    RPYC_ERESOLVE,  /* the host name could not be resolved */
    RPYC_ECLOSED,   /* the connection is closed, by the peer or by us */
    RPYC_EPROTOCOL, /* the peer sent what the protocol does not allow */
    RPYC_ELIMIT,    /* a limit on size or depth was passed */
    RPYC_ETIMEOUT,  /* the deadline passed */
    RPYC_ENOMEM,    /* out of memory */
    RPYC_EREMOTE,   /* the other side raised an exception: see remote */
    RPYC_ETYPE,     /* the value is not of the type that was asked for */
    RPYC_EINVAL,    /* an argument makes no sense */
    RPYC_EINTERRUPT /* the wait was given up on a signal */
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

/* Whether err is a remote exception of just this class: "KeyError" means builtins.KeyError, any
 * other is named in full, "binascii.Error". Base classes are not known on this side. */
RPYC_API bool rpyc_error_is(const struct rpyc_error *err, const char *class_name);

/* ---- Connections ---------------------------------------------------------------------------- */

typedef struct rpyc_conn rpyc_conn;
typedef struct rpyc_value rpyc_value;

/* The generation of rpyc on the other side; the two cannot understand each other. */
enum rpyc_generation {
    RPYC_GENERATION_AUTO = 0, /* find out; costs a second connect where the peer is a 5 */
    RPYC_GENERATION_5 = 5,    /* rpyc 4.1 to 5.3 */
    RPYC_GENERATION_6 = 6     /* rpyc 6.0 and later */
};

/* How to connect. Zero is the default of each; a NULL pointer is all zeros. */
struct rpyc_options {
    enum rpyc_generation generation;
    int connect_timeout_ms; /* for all of connecting; 0: 10 s; negative: none */
    int request_timeout_ms; /* for the reply to one request; 0: 30 s; negative: none */
    size_t max_frame;       /* bytes in one message, before and after decompression; 0: 256 MiB */
};

/* Connects to a server and finds out which rpyc it speaks.
 *   out      gets the connection, owned by the caller: rpyc_close
 *   host     a name or an address, IPv4 or IPv6; every address of a name is tried in turn
 *   port     a number or a service name
 *   options  may be NULL
 * Errors: RPYC_ERESOLVE, RPYC_ESYSTEM (sys_errno is connect's), RPYC_ETIMEOUT, RPYC_ECLOSED when
 * the server accepts and hangs up, RPYC_EPROTOCOL when it does not speak RPyC, RPYC_ENOMEM. */
RPYC_API int rpyc_connect_tcp(rpyc_conn **out, const char *host, const char *port,
                              const struct rpyc_options *options, struct rpyc_error *err);

/* The same over a Unix socket. path is a file's name, or "@name" for the abstract name. */
RPYC_API int rpyc_connect_unix(rpyc_conn **out, const char *path,
                               const struct rpyc_options *options, struct rpyc_error *err);

/* Says goodbye, hangs up, and gives up the caller's hold. NULL is allowed. Values of the connection
 * that are still held stay valid to unref, and every request on them fails with RPYC_ECLOSED. */
RPYC_API void rpyc_close(rpyc_conn *conn);

/* Which generation the other side was found to be. */
RPYC_API enum rpyc_generation rpyc_conn_generation(const rpyc_conn *conn);

/* Sends data there and back. Fails with RPYC_EPROTOCOL when something else comes back. */
RPYC_API int rpyc_ping(rpyc_conn *conn, const void *data, size_t len, struct rpyc_error *err);

/* ---- Values and netrefs --------------------------------------------------------------------- */

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
    RPYC_NETREF
};

/* One more reference; returns value. */
RPYC_API rpyc_value *rpyc_ref(rpyc_value *value);

/* One reference less. With the last one a netref gives its object back to the other side (with the
 * next request that is sent). NULL is allowed. */
RPYC_API void rpyc_unref(rpyc_value *value);

/* The type of a value. */
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

/* How many items a tuple, frozenset or slice (3) has, else 0; and the i-th one, borrowed, NULL
 * beyond. */
RPYC_API size_t rpyc_length(const rpyc_value *value);
RPYC_API rpyc_value *rpyc_item(const rpyc_value *value, size_t i);

/* The class of a netref as the other side names it ("builtins.list"), borrowed; NULL for a value.
 */
RPYC_API const char *rpyc_class_name(const rpyc_value *value);

/* ---- Requests ------------------------------------------------------------------------------- */

/* Arguments are given by a format, one letter an argument:
 *     s  const char *, a str          i  int            d  double       N  nothing given: None
 *     y  const void *, size_t: bytes  l  int64_t        b  int: a bool  O  rpyc_value *, borrowed
 * NULL or "" is no arguments at all. An O must be a value, or a netref of the same connection. A
 * str must be UTF-8.
 *
 * out gets a new reference; NULL drops the result. Errors, beside those of the connection:
 * RPYC_EREMOTE with the exception, RPYC_EINVAL for a format letter that does not exist, RPYC_ETYPE
 * where obj is not a netref. */
RPYC_API int rpyc_getattr(rpyc_value *obj, const char *name, rpyc_value **out,
                          struct rpyc_error *err);
RPYC_API int rpyc_call(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err,
                       const char *format, ...);
RPYC_API int rpyc_callattr(rpyc_value *obj, const char *name, rpyc_value **out,
                           struct rpyc_error *err, const char *format, ...);

/* repr(obj) and str(obj) of a netref, as a str value. */
RPYC_API int rpyc_repr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_tostr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);

/* ---- The classic service -------------------------------------------------------------------- */

/* The root object: the service. A new reference. */
RPYC_API int rpyc_root(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

/* Imports a module there ("os.path") and gives a netref to it. */
RPYC_API int rpyc_module(rpyc_conn *conn, const char *name, rpyc_value **out,
                         struct rpyc_error *err);

/* Evaluates an expression, or executes statements, in the connection's own namespace there. */
RPYC_API int rpyc_eval(rpyc_conn *conn, const char *text, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_execute(rpyc_conn *conn, const char *text, struct rpyc_error *err);

#ifdef __cplusplus
}
#endif

#endif
