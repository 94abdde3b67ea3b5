/* SPDX-License-Identifier: BSD-3-Clause
 *
 * librpyc: Python objects in another process, from C.
 *
 * Uses a Python program that runs an RPyC classic server (rpyc_classic.py, or `import pystuck;
 * pystuck.run_server()`):
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
 * An rpyc_value is either a copy or a reference. None, numbers, strings, and tuples of these are
 * copied. Every other object stays in the peer, the process at the other end of the connection: C
 * then has a *netref*, a counted reference to the object.
 *
 * Every function that can fail returns 0 or -1. On -1 it fills its rpyc_error argument, which may
 * be NULL. No function prints, exits or raises a signal. Several threads may use a connection and
 * its values at the same time; each waits for its own replies.
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

/* ---- Errors ---------------------------------------------------------------------------------- */

enum rpyc_errcode {
    RPYC_OK = 0,
    RPYC_ESYSTEM,    /* a system call failed; sys_errno is its errno */
    RPYC_ERESOLVE,   /* the host name could not be resolved */
    RPYC_ECLOSED,    /* either side has closed the connection */
    RPYC_EPROTOCOL,  /* the peer violated the protocol */
    RPYC_ELIMIT,     /* a message exceeds a limit on its size or depth */
    RPYC_ETIMEOUT,   /* the timeout expired */
    RPYC_ENOMEM,     /* there is not enough memory */
    RPYC_EREMOTE,    /* the peer raised an exception; see remote */
    RPYC_ETYPE,      /* a value has another type than the function needs */
    RPYC_EINVAL,     /* an argument is invalid */
    RPYC_EINTERRUPT, /* a signal interrupted the wait */
    RPYC_ECANCELED,  /* rpyc_pending_cancel ended the wait */
    RPYC_ETLS,       /* TLS failed: a certificate, a key, or the handshake */
    RPYC_EGENERATION /* the server did not understand the first request and then accepted no second
                      * connection: set generation in rpyc_options */
};

/* What failed, with RPYC_ETLS. */
enum rpyc_tls_reason {
    RPYC_TLS_OTHER = 0,        /* none of the following */
    RPYC_TLS_NO_LIBRARY,       /* librpyc-ssl is not installed */
    RPYC_TLS_BAD_LIBRARY,      /* librpyc-ssl cannot be loaded */
    RPYC_TLS_OTHER_LIBRARY,    /* librpyc-ssl belongs to another version of librpyc */
    RPYC_TLS_BAD_FILE,         /* a file of struct rpyc_tls cannot be used */
    RPYC_TLS_KEY_MISMATCH,     /* the key does not belong to the certificate */
    RPYC_TLS_NOT_SPOKEN,       /* the peer does not use TLS */
    RPYC_TLS_NO_COMMON_CIPHER, /* or the server requires a client certificate */
    RPYC_TLS_NO_COMMON_VERSION,

    /* The server's certificate is not accepted. */
    RPYC_TLS_SERVER_CA_UNKNOWN, /* no CA that is trusted has signed it */
    RPYC_TLS_SERVER_EXPIRED,    /* it, or a CA's certificate, has expired */
    RPYC_TLS_SERVER_NOT_YET_VALID,
    RPYC_TLS_SERVER_OTHER_NAME, /* it is for another server */
    RPYC_TLS_SERVER_PURPOSE,    /* it is not a server certificate */
    RPYC_TLS_SERVER_REFUSED,    /* for another reason */

    /* The server does not accept the client's certificate. */
    RPYC_TLS_CLIENT_MISSING, /* the server requires one */
    RPYC_TLS_CLIENT_CA_UNKNOWN,
    RPYC_TLS_CLIENT_EXPIRED,
    RPYC_TLS_CLIENT_REVOKED,
    RPYC_TLS_CLIENT_BAD,     /* it is damaged, not valid yet, or not allowed */
    RPYC_TLS_CLIENT_PURPOSE, /* it is not a client certificate */
    RPYC_TLS_CLIENT_DENIED   /* it is valid, but not allowed */
};

/* An exception that the peer raised. */
struct rpyc_exception;

/* Why a function failed. Initialize it with RPYC_ERROR_INIT. The function that fails fills it. It
 * owns remote: call rpyc_error_clear before you use it again and before it goes out of scope. */
struct rpyc_error {
    enum rpyc_errcode code;
    int sys_errno;                 /* with RPYC_ESYSTEM, else 0 */
    char text[256];                /* one line without newline, truncated if it is longer */
    struct rpyc_exception *remote; /* with RPYC_EREMOTE, else NULL; owned */
    enum rpyc_tls_reason tls;      /* with RPYC_ETLS, else RPYC_TLS_OTHER */
};

/* clang-format off */
#define RPYC_ERROR_INIT {RPYC_OK, 0, "", NULL, RPYC_TLS_OTHER}
/* clang-format on */

/* Frees what err owns and sets it to RPYC_ERROR_INIT. err may be NULL. */
RPYC_API void rpyc_error_clear(struct rpyc_error *err);

/* Returns true if the connection is lost: call rpyc_close. True for RPYC_ESYSTEM, RPYC_ECLOSED,
 * RPYC_EPROTOCOL and RPYC_ETLS. After any other error the connection can be used: RPYC_ELIMIT and
 * RPYC_ENOMEM, for instance, concern one request. */
RPYC_API bool rpyc_error_is_fatal(const struct rpyc_error *err);

/* Returns true if err is a remote exception of exactly this class. "KeyError" means
 * builtins.KeyError; name other classes with their module, "binascii.Error". Returns false for a
 * subclass: this process does not know the base classes. */
RPYC_API bool rpyc_error_is(const struct rpyc_error *err, const char *class_name);

/* Return the exception's module ("builtins"), its class name ("KeyError"), and its traceback as the
 * peer formatted it. UTF-8, owned by exc, never NULL. */
RPYC_API const char *rpyc_exception_module(const struct rpyc_exception *exc);
RPYC_API const char *rpyc_exception_name(const struct rpyc_exception *exc);
RPYC_API const char *rpyc_exception_traceback(const struct rpyc_exception *exc);

/* Return the exception's arguments, a tuple, and the value of one of its attributes, NULL if it has
 * none of this name. An object that cannot be copied is replaced by its repr. Owned by exc. */
RPYC_API rpyc_value *rpyc_exception_args(const struct rpyc_exception *exc);
RPYC_API rpyc_value *rpyc_exception_attribute(const struct rpyc_exception *exc, const char *name);

/* ---- Connections ----------------------------------------------------------------------------- */

/* The generation of the peer's rpyc. The two generations cannot understand each other. */
enum rpyc_generation {
    RPYC_GENERATION_AUTO = 0, /* find out; needs a second connection if the peer has generation 5 */
    RPYC_GENERATION_5 = 5,    /* rpyc 4.1 to 5.3 */
    RPYC_GENERATION_6 = 6     /* rpyc 6.0 and later */
};

/* The envelope of a connection's messages. All zeros: not known. */
struct rpyc_envelope {
    enum rpyc_generation generation;
    bool bind_threads; /* the peer runs with RPYC_BIND_THREADS: messages carry thread ids */
};

/* How to use TLS. All zeros: verify the server's certificate and its name, with the CAs that the
 * system trusts. */
struct rpyc_tls {
    const char *ca_file;     /* the CAs that may have signed the server's certificate, PEM; NULL:
                              * those that the system trusts */
    const char *cert_file;   /* the client's certificate with its chain, PEM; NULL: none */
    const char *key_file;    /* the client's key, PEM, without passphrase; NULL: in cert_file */
    const char *server_name; /* the name in the server's certificate; NULL: the host name */
    bool insecure_no_verify; /* accept any certificate: an attacker between client and server can
                              * read and change all data */
};

/* How to connect. All zeros, or a NULL pointer: the defaults. */
struct rpyc_options {
    enum rpyc_generation generation;
    bool bind_threads;      /* with a generation: the server runs with RPYC_BIND_THREADS */
    int connect_timeout_ms; /* timeout of connecting as a whole; 0: 10 s; negative: none */
    int request_timeout_ms; /* timeout of the reply to a request, and of the peer's next read while
                             * a request is sent; 0: 30 s; negative: none */
    size_t max_frame;       /* the most bytes in a message, before and after decompression; 0: 256
                             * MiB. A request whose reply is longer fails with RPYC_ELIMIT; the
                             * connection remains usable */
    const struct rpyc_tls *tls; /* NULL: no TLS. Needs the library librpyc-ssl */

    /* With RPYC_GENERATION_AUTO: where the caller stores the envelope of one server address, or
     * NULL. librpyc tries a known envelope first, and stores the one that it found. A wrong one
     * costs a second connection, and a stock server logs a traceback. Use one for each address, and
     * not from two threads at the same time. */
    struct rpyc_envelope *remembered;

    /* Called with the socket of each connection before data is sent, for instance to find out which
     * process listens there. The callback must not close the socket. Returns 0, or -1 with *err
     * filled: then the connection is closed, and connecting fails with this error. RPYC_ECLOSED
     * means that the server has closed the connection. NULL: not called. rpyc_connect_fd does not
     * call it. */
    int (*check)(int fd, void *check_data, struct rpyc_error *err);
    void *check_data;

    /* With RPYC_GENERATION_AUTO; may be NULL. A server that sends nothing for 300 ms may be busy,
     * or may ignore requests in an unknown envelope, as the stock ThreadPoolServer does. librpyc
     * then calls is_certain(is_certain_arg) once. True: the server is known to understand rpyc 6
     * (as all pystuck servers do), or the remembered envelope; librpyc waits for the first
     * connection. False: librpyc tries the other envelopes on up to three more connections, and
     * uses the one that answers first. */
    bool (*is_certain)(void *arg);
    void *is_certain_arg;

    /* A request that is sent directly behind the first one, which asks for the root object of the
     * server's service: its handler (0: none) and its arguments, a tuple of plain values or NULL.
     * Connecting succeeds as soon as one of the two requests has a result. So a server may answer
     * the early request although it cannot run Python now. rpyc_take_early gives the early request,
     * rpyc_has_root says whether the root has come. */
    int early_handler;
    rpyc_value *early_args;

    /* Called once if the server has answered nothing for silence_ms, for instance to tell the user.
     * Connecting goes on. NULL: not called. */
    void (*on_silence)(void *arg);
    void *on_silence_arg;
    int silence_ms;
};

/* Connects to a server and finds out its envelope.
 *   out      receives the connection; free it with rpyc_close
 *   host     a name or an IPv4 or IPv6 address; all addresses of a name are tried in turn
 *   port     a number or a service name
 *   options  may be NULL
 * Errors: RPYC_ERESOLVE; RPYC_ESYSTEM, with the errno of connect(2); RPYC_ETIMEOUT; RPYC_ECLOSED if
 * the server accepts and closes the connection; RPYC_EPROTOCOL if it does not speak RPyC;
 * RPYC_EGENERATION if it accepts one connection only (OneShotServer), and that one was used for an
 * unsuccessful try; RPYC_ENOMEM. */
RPYC_API int rpyc_connect_tcp(rpyc_conn **out, const char *host, const char *port,
                              const struct rpyc_options *options, struct rpyc_error *err);

/* Like rpyc_connect_tcp, over a Unix socket. path is the name of a file, or "@name" for an abstract
 * socket. */
RPYC_API int rpyc_connect_unix(rpyc_conn **out, const char *path,
                               const struct rpyc_options *options, struct rpyc_error *err);

/* Like rpyc_connect_tcp, over a connected socket. Takes the socket, also at failure. Cannot try a
 * second time: options must give the generation, and bind_threads if it is used. Errors: also
 * RPYC_EINVAL for RPYC_GENERATION_AUTO. */
RPYC_API int rpyc_connect_fd(rpyc_conn **out, int fd, const struct rpyc_options *options,
                             struct rpyc_error *err);

/* Tells the peer that the connection ends, closes it, and drops the caller's reference to it. conn
 * may be NULL. Values of the connection must still be released with rpyc_unref; requests on them
 * fail with RPYC_ECLOSED. */
RPYC_API void rpyc_close(rpyc_conn *conn);

/* rpyc_has_root returns false if connecting succeeded because of the early request alone, and the
 * root object of the server's service has not been received since. rpyc_await_root waits for it;
 * timeout_ms: 0: the timeout of requests; negative: none. After RPYC_ETIMEOUT or RPYC_EINTERRUPT
 * the caller may wait again. Functions that need the root (rpyc_root, rpyc_module, rpyc_eval,
 * rpyc_execute, rpyc_namespace and those that use a module) wait for it themselves. Until it has
 * been received, only one thread at a time may call any of these functions. */
RPYC_API bool rpyc_has_root(const rpyc_conn *conn);
RPYC_API int rpyc_await_root(rpyc_conn *conn, int timeout_ms, struct rpyc_error *err);

/* Return the generation and the envelope of the connection. */
RPYC_API enum rpyc_generation rpyc_conn_generation(const rpyc_conn *conn);
RPYC_API struct rpyc_envelope rpyc_conn_envelope(const rpyc_conn *conn);

/* Sends data and waits until the peer sends it back. Fails with RPYC_EPROTOCOL if the peer sends
 * other data. */
RPYC_API int rpyc_ping(rpyc_conn *conn, const void *data, size_t len, struct rpyc_error *err);

/* Sets the timeout of later requests, as request_timeout_ms in rpyc_options. */
RPYC_API void rpyc_set_timeout(rpyc_conn *conn, int request_timeout_ms);

/* Returns the timeout of requests in ms; negative: none. */
RPYC_API int rpyc_timeout(const rpyc_conn *conn);

/* For programs with an event loop. rpyc_fd returns the socket, to be polled for POLLIN.
 * rpyc_process handles all messages that have arrived (replies, and requests of the peer). If there
 * are none, it waits for one for timeout_ms; 0: does not wait; negative: no timeout. Call it with 0
 * also before each poll, since a request may have read more than its own reply. Returns the number
 * of messages; 0 after the timeout; -1 at an error, and at the end of the connection, with
 * RPYC_ECLOSED. */
RPYC_API int rpyc_fd(const rpyc_conn *conn);
RPYC_API int rpyc_process(rpyc_conn *conn, int timeout_ms, struct rpyc_error *err);

/* Like rpyc_process, but handles at most `most` messages (1 or more). rpyc_process does not return
 * while a peer never stops sending. If this function returns `most`, call it again before the next
 * poll: there may be messages left that poll does not show. */
RPYC_API int rpyc_process_some(rpyc_conn *conn, int most, int timeout_ms, struct rpyc_error *err);

/* Serves requests of the peer until the peer closes the connection (0) or an error occurs (-1). */
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
    RPYC_NETREF, /* an object of the peer */
    RPYC_OBJECT  /* a local object, made by rpyc_object or rpyc_function */
};

/* Adds a reference to value. Returns value. */
RPYC_API rpyc_value *rpyc_ref(rpyc_value *value);

/* Drops a reference to value, which may be NULL. The last one frees value. The peer may free the
 * object of a netref then; it is told so with the next request, for all freed netrefs at once. */
RPYC_API void rpyc_unref(rpyc_value *value);

/* Returns the type of value. This and the next functions, and requests, treat NULL, which rpyc_item
 * returns beyond the end, as an RPYC_NONE. */
RPYC_API enum rpyc_type rpyc_type_of(const rpyc_value *value);

/* Return the text of a str or the content of a bytes, owned by value; NULL for any other type. It
 * is followed by a NUL and may contain NULs. *len is its length in bytes; len may be NULL. */
RPYC_API const char *rpyc_str(const rpyc_value *value, size_t *len);
RPYC_API const void *rpyc_bytes(const rpyc_value *value, size_t *len);

/* Sets *out to the value of an int or a bool. Fails with RPYC_ETYPE for any other type, and for an
 * int that does not fit an int64_t. */
RPYC_API int rpyc_int64(const rpyc_value *value, int64_t *out, struct rpyc_error *err);

/* Returns the decimal digits, with "-" if negative, of an int that does not fit an int64_t; NULL
 * for any other value. Owned by value. */
RPYC_API const char *rpyc_int_digits(const rpyc_value *value);

/* Sets *out to the value of a float, or of an int that a double can represent exactly. Fails with
 * RPYC_ETYPE for any other value. */
RPYC_API int rpyc_double(const rpyc_value *value, double *out, struct rpyc_error *err);

/* Sets *real and *imag to the parts of a complex. Accepts what rpyc_double accepts, too. */
RPYC_API int rpyc_complex(const rpyc_value *value, double *real, double *imag,
                          struct rpyc_error *err);

/* Return the number of items of a tuple, frozenset or slice (3), 0 for any other type; and the item
 * at index i, owned by value, NULL beyond the end. */
RPYC_API size_t rpyc_length(const rpyc_value *value);
RPYC_API rpyc_value *rpyc_item(const rpyc_value *value, size_t i);

/* Returns the class name of a netref as the peer sent it ("builtins.list"), owned by value; NULL
 * for any other type. */
RPYC_API const char *rpyc_class_name(const rpyc_value *value);

/* ---- Formats --------------------------------------------------------------------------------- */

/* A format string describes values: one letter for each, which takes these C arguments.
 *
 *     s  const char *: a str, or None for NULL; must be UTF-8         N  no argument: None
 *     z  const char *, size_t: a str that may contain NULs            E  no argument: Ellipsis
 *     y  const void *, size_t: a bytes                                X  no argument:
 * NotImplemented i  int   l  int64_t   u  uint64_t: an int                       O  rpyc_value *,
 * borrowed n  const char *: an int of any size, from its decimal digits d  double: a float   c
 * double, double: a complex   b  int: a bool
 *
 *     ( )  a tuple    { }  a frozenset    [ ]  a slice, with three items: "[iiN]"
 *
 * Blanks and commas are ignored. In the format of a call, keyword arguments "name=letter" may
 * follow the positional arguments:
 *
 *     rpyc_callattr(list, "sort", NULL, &err, "key=O, reverse=b", key, 1)
 *
 * "*" passes a tuple of positional arguments, and "**" a tuple of (name, value) tuples of keyword
 * arguments. Both take an rpyc_value *, borrowed.
 *
 * Errors: RPYC_EINVAL for an invalid format, a str that is not UTF-8, invalid digits, or a netref
 * of another connection. */

/* Creates a value: None for an empty format, one value for one item, a tuple for several items. */
RPYC_API int rpyc_build(rpyc_value **out, struct rpyc_error *err, const char *format, ...);

/* Encodes a value as brine. The caller frees *data with free(). Errors: RPYC_ETYPE for a netref, a
 * local object, or a container with one of them; RPYC_ENOMEM. */
RPYC_API int rpyc_dump(const rpyc_value *value, void **data, size_t *len, struct rpyc_error *err);

/* Creates a tuple of `count` values, which are borrowed. */
RPYC_API int rpyc_pack(rpyc_value **out, rpyc_value *const *items, size_t count,
                       struct rpyc_error *err);

/* ---- Requests -------------------------------------------------------------------------------- */

/* Each function sends one request, or a few, on the object of a netref and waits for the reply. out
 * receives a new reference; out NULL drops the result. Names and values are borrowed.
 *
 * Errors: those of the connection; RPYC_EREMOTE, with the exception; RPYC_ETYPE if obj is not a
 * netref, or if the result has not the type that this operation has in Python. */
RPYC_API int rpyc_getattr(rpyc_value *obj, const char *name, rpyc_value **out,
                          struct rpyc_error *err);
RPYC_API int rpyc_setattr(rpyc_value *obj, const char *name, rpyc_value *value,
                          struct rpyc_error *err);
RPYC_API int rpyc_delattr(rpyc_value *obj, const char *name, struct rpyc_error *err);

RPYC_API int rpyc_call(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err,
                       const char *format, ...);
RPYC_API int rpyc_callattr(rpyc_value *obj, const char *name, rpyc_value **out,
                           struct rpyc_error *err, const char *format, ...);

/* obj[key]; obj[key] = value; del obj[key]. key may be a slice. */
RPYC_API int rpyc_getitem(rpyc_value *obj, rpyc_value *key, rpyc_value **out,
                          struct rpyc_error *err);
RPYC_API int rpyc_setitem(rpyc_value *obj, rpyc_value *key, rpyc_value *value,
                          struct rpyc_error *err);
RPYC_API int rpyc_delitem(rpyc_value *obj, rpyc_value *key, struct rpyc_error *err);

/* len(obj); value in obj. */
RPYC_API int rpyc_len(rpyc_value *obj, size_t *out, struct rpyc_error *err);
RPYC_API int rpyc_contains(rpyc_value *obj, rpyc_value *value, bool *out, struct rpyc_error *err);

/* The comparison `obj op other`. op is one of < <= == != > >=. */
RPYC_API int rpyc_compare(rpyc_value *obj, const char *op, rpyc_value *other, bool *out,
                          struct rpyc_error *err);

/* hash(obj); isinstance(obj, cls), where both are netrefs of one connection; bool(obj), where obj
 * may be any value. */
RPYC_API int rpyc_hash(rpyc_value *obj, int64_t *out, struct rpyc_error *err);
RPYC_API int rpyc_isinstance(rpyc_value *obj, rpyc_value *cls, bool *out, struct rpyc_error *err);
RPYC_API int rpyc_truth(rpyc_value *obj, bool *out, struct rpyc_error *err);

/* repr(obj) and str(obj), a str; dir(obj), a tuple of str; pickle.dumps(obj, protocol), a bytes. */
RPYC_API int rpyc_repr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_tostr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_dir(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_pickle(rpyc_value *obj, int protocol, rpyc_value **out, struct rpyc_error *err);

/* Enter and leave a context manager. *out is what `with obj as name` assigns to name. exception: a
 * netref to an exception, made for instance by calling a class of rpyc_builtin; NULL: none.
 * *suppressed: true if __exit__ suppresses the exception; suppressed may be NULL. */
RPYC_API int rpyc_enter(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_exit(rpyc_value *obj, rpyc_value *exception, bool *suppressed,
                       struct rpyc_error *err);

/* Starts an iteration over obj. Each request gets several items. */
typedef struct rpyc_iter rpyc_iter;
RPYC_API int rpyc_iterate(rpyc_value *obj, rpyc_iter **out, struct rpyc_error *err);

/* Returns 1, and the next item in *item, a new reference; 0 at the end; -1 at an error. */
RPYC_API int rpyc_next(rpyc_iter *iter, rpyc_value **item, struct rpyc_error *err);
RPYC_API void rpyc_iter_free(rpyc_iter *iter);

/* ---- Requests without waiting ---------------------------------------------------------------- */

/* A request that was sent and whose result has not been fetched. A connection may have any number;
 * their replies arrive in any order. */
typedef struct rpyc_pending rpyc_pending;

RPYC_API int rpyc_start_getattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                                struct rpyc_error *err);
RPYC_API int rpyc_start_call(rpyc_value *obj, rpyc_pending **out, struct rpyc_error *err,
                             const char *format, ...);
RPYC_API int rpyc_start_callattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                                 struct rpyc_error *err, const char *format, ...);

/* As rpyc_request. */
RPYC_API int rpyc_start_request(rpyc_conn *conn, int handler, rpyc_pending **out,
                                struct rpyc_error *err, const char *format, ...);

/* Returns the early request of rpyc_options, once. NULL: there is none, or no memory. */
RPYC_API rpyc_pending *rpyc_take_early(rpyc_conn *conn);

/* Waits for the result. timeout_ms: 0: the timeout of requests; negative: none. The result can be
 * fetched once. After RPYC_ETIMEOUT the caller may wait again. RPYC_ECANCELED: rpyc_pending_cancel
 * was called. */
RPYC_API int rpyc_pending_wait(rpyc_pending *pending, int timeout_ms, rpyc_value **out,
                               struct rpyc_error *err);

/* Returns true if rpyc_pending_wait would return at once. Does not read from the connection;
 * rpyc_process does. */
RPYC_API bool rpyc_pending_is_done(rpyc_pending *pending);

/* Calls notify(arg) once, when the result has arrived or the connection is closed: at once if it
 * has, else from the thread that reads the reply. notify must return quickly. It may call
 * rpyc_pending_wait. */
RPYC_API void rpyc_pending_notify(rpyc_pending *pending, void (*notify)(void *arg), void *arg);

/* Ends the wait of another thread with RPYC_ECANCELED. The peer executes the request nevertheless.
 */
RPYC_API void rpyc_pending_cancel(rpyc_pending *pending);

/* Frees a request, with or without its result. No thread may be waiting for it. pending may be
 * NULL.
 */
RPYC_API void rpyc_pending_free(rpyc_pending *pending);

/* ---- Local objects --------------------------------------------------------------------------- */

/* The operations of a local object, an object of this program that the peer can use. librpyc calls
 * them while a request waits, in rpyc_process and in rpyc_serve. A result goes to *out; *out is
 * NULL before the call, and NULL as a result means None. All functions but destroy return 0, or -1
 * with err filled: by rpyc_raise, or by any other function; the peer then gets a RuntimeError. An
 * operation that is NULL raises the exception that Python raises. */
struct rpyc_ops {
    const char *class_name;     /* the class name that the peer sees; NULL: "librpyc.Object" */
    const char *const *methods; /* the methods that call implements, ended by NULL; or NULL */

    int (*getattr)(void *self, const char *name, rpyc_value **out, struct rpyc_error *err);
    /* value: borrowed; NULL deletes the attribute */
    int (*setattr)(void *self, const char *name, rpyc_value *value, struct rpyc_error *err);
    /* method: one of methods; NULL: a call of the object itself. args: a tuple. kwargs: a tuple of
     * (name, value) tuples. */
    int (*call)(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                rpyc_value **out, struct rpyc_error *err);
    /* str() and repr(); the result must be a str */
    int (*str)(void *self, rpyc_value **out, struct rpyc_error *err);
    /* called when neither side has a reference any more */
    void (*destroy)(void *self);
};

/* Creates a value for a local object, which may be an argument or a result. ops must remain valid.
 */
RPYC_API int rpyc_object(rpyc_value **out, const struct rpyc_ops *ops, void *self,
                         struct rpyc_error *err);

/* Creates a value for a function of this program. arg is its first argument. */
typedef int (*rpyc_function_fn)(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                                struct rpyc_error *err);
RPYC_API int rpyc_function(rpyc_value **out, rpyc_function_fn function, void *arg,
                           struct rpyc_error *err);

/* Returns the self that rpyc_object was called with; NULL for any other value. */
RPYC_API void *rpyc_object_self(const rpyc_value *value);

/* Fills err with an exception of the module builtins ("ValueError") for the peer. Returns -1. */
RPYC_API int rpyc_raise(struct rpyc_error *err, const char *class_name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Requests by number ---------------------------------------------------------------------- */

/* Sends a request to the handler with a number, with the arguments that a format describes, and
 * waits for the reply. For handlers that have no function in this header. Errors: as above;
 * RPYC_EREMOTE if the server does not know the number. */
RPYC_API int rpyc_request(rpyc_conn *conn, int handler, rpyc_value **out, struct rpyc_error *err,
                          const char *format, ...);

/* ---- The classic service --------------------------------------------------------------------- */

/* The root object of the connection: the server's service. */
RPYC_API int rpyc_root(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

/* Imports a module in the peer ("os.path"). *out: a netref to the module. */
RPYC_API int rpyc_module(rpyc_conn *conn, const char *name, rpyc_value **out,
                         struct rpyc_error *err);

/* Sets *out to true if the peer can find a module of this name. */
RPYC_API int rpyc_has_module(rpyc_conn *conn, const char *name, bool *out, struct rpyc_error *err);

/* An attribute of the peer's module builtins: "len", "ValueError". */
RPYC_API int rpyc_builtin(rpyc_conn *conn, const char *name, rpyc_value **out,
                          struct rpyc_error *err);

/* Evaluate an expression, or execute statements, in the connection's own namespace in the peer. */
RPYC_API int rpyc_eval(rpyc_conn *conn, const char *text, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_execute(rpyc_conn *conn, const char *text, struct rpyc_error *err);

/* This namespace. *out: a netref to a dict. */
RPYC_API int rpyc_namespace(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

/* ---- Deprecated names ------------------------------------------------------------------------ */

/* The names that version 0.9 had, kept for one release. */
#define rpyc_dialect rpyc_envelope
RPYC_API struct rpyc_envelope rpyc_conn_dialect(const rpyc_conn *conn)
    __attribute__((deprecated("use rpyc_conn_envelope")));

#ifdef __cplusplus
}
#endif

#endif
