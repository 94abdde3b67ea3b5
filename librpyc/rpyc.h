/* SPDX-License-Identifier: BSD-3-Clause
 *
 * librpyc: lets a C program use the Python objects of another process.
 *
 * The other process must run an RPyC classic server (rpyc_classic.py, or `import pystuck;
 * pystuck.run_server()`). An example:
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
 * An rpyc_value is either a copy or a reference. Constants such as None, numbers, str, bytes, and
 * tuples, frozensets and slices of these are copied. Every other object stays in the peer, which is
 * the process at the other end of the connection. The C program then has a *netref*, a counted
 * reference to the object.
 *
 * A function that can fail returns -1 on failure, and fills its rpyc_error argument, which may be
 * NULL. On success it returns 0, or the value that its comment names. No function prints, exits or
 * raises a signal. Several threads may use a connection and its values at the same time. Each
 * thread waits for its own replies.
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

/* The version of this header, as text and as a number, 0xMMmmpp. rpyc_version returns the version
 * of the library that the program uses. */
#define RPYC_VERSION        "0.9.0"
#define RPYC_VERSION_NUMBER 0x000900
RPYC_API const char *rpyc_version(void);

/* Later versions may add members to struct rpyc_options, rpyc_tls and rpyc_ops, at their ends.
 * The first member of these structs, `size`, tells librpyc which members the program knows. Set it
 * to the sizeof of the struct; 0: only the members of version 0.9. The other structs do not change.
 */

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

/* What failed, if the code of an error is RPYC_ETLS. */
enum rpyc_tls_reason {
    RPYC_TLS_OTHER = 0,        /* none of the following */
    RPYC_TLS_NO_LIBRARY,       /* librpyc-ssl is not installed */
    RPYC_TLS_BAD_LIBRARY,      /* librpyc-ssl cannot be loaded */
    RPYC_TLS_OTHER_LIBRARY,    /* librpyc-ssl belongs to another version of librpyc */
    RPYC_TLS_BAD_FILE,         /* a file that struct rpyc_tls names cannot be used */
    RPYC_TLS_KEY_MISMATCH,     /* the key does not belong to the certificate */
    RPYC_TLS_NOT_SPOKEN,       /* the peer does not use TLS */
    RPYC_TLS_NO_COMMON_CIPHER, /* there is no cipher that both sides support, or the server requires
                                * a client certificate */
    RPYC_TLS_NO_COMMON_VERSION,

    /* The server's certificate is not accepted. */
    RPYC_TLS_SERVER_CA_UNKNOWN, /* no CA that is trusted has signed it */
    RPYC_TLS_SERVER_EXPIRED,    /* it, or a CA's certificate, has expired */
    RPYC_TLS_SERVER_NOT_YET_VALID,
    RPYC_TLS_SERVER_OTHER_NAME, /* it is for another server */
    RPYC_TLS_SERVER_PURPOSE,    /* it is not a server certificate */
    RPYC_TLS_SERVER_REFUSED,    /* it is not accepted for another reason */

    /* The server does not accept the client's certificate. */
    RPYC_TLS_CLIENT_MISSING, /* the server requires one, and the client has none */
    RPYC_TLS_CLIENT_CA_UNKNOWN,
    RPYC_TLS_CLIENT_EXPIRED,
    RPYC_TLS_CLIENT_REVOKED,
    RPYC_TLS_CLIENT_BAD,     /* it is damaged, not valid yet, or not allowed: the server does not
                              * tell which */
    RPYC_TLS_CLIENT_PURPOSE, /* it is not a client certificate */
    RPYC_TLS_CLIENT_DENIED,  /* it is valid, but not allowed */

    RPYC_TLS_NO_OPENSSL /* this system has no OpenSSL that librpyc-ssl can use */
};

/* An exception that the peer raised. */
struct rpyc_exception;

/* Why a function failed. Initialize it with RPYC_ERROR_INIT; a function that fails fills it. The
 * struct owns `remote`. So call rpyc_error_clear before you pass the struct to another function,
 * and before it goes out of scope. */
struct rpyc_error {
    enum rpyc_errcode code;
    int sys_errno;                 /* with RPYC_ESYSTEM: the errno; else 0 */
    char text[256];                /* one line without newline, truncated if it is longer */
    struct rpyc_exception *remote; /* with RPYC_EREMOTE: the exception, owned; else NULL */
    enum rpyc_tls_reason tls;      /* with RPYC_ETLS: what failed; else RPYC_TLS_OTHER */
    void *reserved[4];             /* for later versions */
};

/* clang-format off */
#define RPYC_ERROR_INIT {RPYC_OK, 0, "", NULL, RPYC_TLS_OTHER, {NULL}}
/* clang-format on */

/* Frees what err owns and sets it to RPYC_ERROR_INIT. err may be NULL. */
RPYC_API void rpyc_error_clear(struct rpyc_error *err);

/* Returns true if the connection is lost and can only be closed, by rpyc_close. This is so for
 * RPYC_ESYSTEM, RPYC_ECLOSED, RPYC_EPROTOCOL and RPYC_ETLS. After any other error the connection
 * can still be used. RPYC_ELIMIT and RPYC_ENOMEM, for instance, concern only one request. */
RPYC_API bool rpyc_error_is_fatal(const struct rpyc_error *err);

/* Returns true if err is a remote exception of exactly this class. "KeyError" means
 * builtins.KeyError. Name other classes with their module: "binascii.Error". Returns false if the
 * exception is of a subclass, because this process does not know the base classes of remote
 * exceptions. */
RPYC_API bool rpyc_error_is(const struct rpyc_error *err, const char *class_name);

/* Return the module of the exception's class ("builtins"), the name of the class ("KeyError"), and
 * the traceback as the peer formatted it. The strings are UTF-8, owned by exc, and never NULL. */
RPYC_API const char *rpyc_exception_module(const struct rpyc_exception *exc);
RPYC_API const char *rpyc_exception_name(const struct rpyc_exception *exc);
RPYC_API const char *rpyc_exception_traceback(const struct rpyc_exception *exc);

/* rpyc_exception_args returns the exception's arguments, a tuple. rpyc_exception_attribute returns
 * the value of an attribute; NULL if there is no attribute of this name. exc owns the results. In
 * place of an object that cannot be copied, the peer has sent the object's repr(), a str. */
RPYC_API rpyc_value *rpyc_exception_args(const struct rpyc_exception *exc);
RPYC_API rpyc_value *rpyc_exception_attribute(const struct rpyc_exception *exc, const char *name);

/* ---- Connections ----------------------------------------------------------------------------- */

/* The generation of the peer's rpyc. A peer of one generation cannot understand a peer of the
 * other. */
enum rpyc_generation {
    RPYC_GENERATION_AUTO = 0, /* find it out while connecting; needs a second connection if the peer
                               * has generation 5 */
    RPYC_GENERATION_5 = 5,    /* rpyc 4.1 to 5.3 */
    RPYC_GENERATION_6 = 6     /* rpyc 6.0 and later */
};

/* How the messages of a connection are wrapped. All zeros: not known. */
struct rpyc_envelope {
    enum rpyc_generation generation;
    bool bind_threads; /* the peer runs with RPYC_BIND_THREADS: messages carry thread ids */
};

/* How to use TLS. All zeros: accept a server certificate only if it is for the server's name, and a
 * CA that the system trusts has signed it. */
struct rpyc_tls {
    size_t size;             /* see RPYC_VERSION */
    const char *ca_file;     /* the CAs that may have signed the server's certificate, PEM; NULL:
                              * those that the system trusts */
    const char *cert_file;   /* the client's certificate with its chain, PEM; NULL: none */
    const char *key_file;    /* the client's key, PEM, without passphrase; NULL: the key is in
                              * cert_file */
    const char *server_name; /* the name that the server's certificate must have; NULL: the host
                              * name */
    bool insecure_no_verify; /* accept any certificate: an attacker between client and server can
                              * read and change all data */
};

/* How to connect. All zeros, or a NULL pointer: the defaults. */
struct rpyc_options {
    size_t size; /* see RPYC_VERSION */
    enum rpyc_generation generation;
    bool bind_threads;      /* the server runs with RPYC_BIND_THREADS; ignored with
                             * RPYC_GENERATION_AUTO */
    int connect_timeout_ms; /* timeout of connecting as a whole; 0: 10 s; negative: none */
    int request_timeout_ms; /* how long to wait for the reply to a request, and how long a message
                             * that is sent or received may make no progress; 0: 30 s; negative: no
                             * limit */
    size_t max_frame;       /* the most bytes that a received message may have, before and after
                             * decompression; 0: 256 MiB. A request whose reply is longer fails with
                             * RPYC_ELIMIT; the connection remains usable */
    const struct rpyc_tls *tls; /* NULL: no TLS. Needs the library librpyc-ssl */

    /* Only used with RPYC_GENERATION_AUTO; may be NULL. The caller keeps one such struct for each
     * server address, filled with zeros at first. If it holds an envelope, librpyc tries that
     * envelope first. librpyc then stores the envelope that the server uses. If the struct held an
     * envelope that the server does not use, connecting takes a second connection, and a stock
     * server logs a traceback. Two threads must not use the same struct at the same time. */
    struct rpyc_envelope *remembered;

    /* May be NULL. Called with the socket of each new connection before data is sent on it, for
     * instance to find out which process listens there. Must not close the socket. Returns 0, or -1
     * with *err filled: librpyc then closes the connection, and connecting fails with this error.
     * RPYC_ECLOSED is treated as if the server had closed the connection. rpyc_connect_fd does not
     * call this function. */
    int (*check)(int fd, void *check_data, struct rpyc_error *err);
    void *check_data;

    /* Only used with RPYC_GENERATION_AUTO; may be NULL. Called if the server has sent nothing for
     * 300 ms: it may be busy, or it may ignore requests in the wrong envelope, as the stock
     * ThreadPoolServer does. Returns true if the server is known to understand the first request.
     * That request was in the remembered envelope, or else in the envelope of rpyc 6, which all
     * pystuck servers understand. librpyc then goes on waiting for the reply. Returns false
     * otherwise: librpyc then tries the other envelopes on up to three more connections, and uses
     * the connection that answers first. */
    bool (*is_certain)(void *arg);
    void *is_certain_arg;

    /* The early request: an optional request that is sent together with the request for the root
     * object. early_handler is the number of its handler; 0: there is no early request. early_args
     * are its arguments, a tuple of plain values, borrowed; NULL: no arguments. Connecting succeeds
     * as soon as one of the two requests has a result. So it succeeds even if the server cannot run
     * Python now, provided that the server can answer the early request. rpyc_take_early returns
     * the early request. rpyc_has_root tells whether the root object has been received. */
    int early_handler;
    rpyc_value *early_args;

    /* May be NULL. Called once if the server has not answered when silence_ms have passed since the
     * start of connecting, for instance to tell the user. If it returns true, connecting goes on;
     * otherwise connecting fails with RPYC_ETIMEOUT. */
    bool (*on_silence)(void *arg);
    void *on_silence_arg;
    int silence_ms;
};

/* Connects to a server and finds out which envelope it uses.
 *   out      receives the connection; free it with rpyc_close
 *   host     a name or an IPv4 or IPv6 address; all addresses of a name are tried in turn
 *   port     a number or a service name
 *   options  may be NULL
 * Errors: RPYC_EINVAL for an invalid port; RPYC_ERESOLVE; RPYC_ESYSTEM, with the errno of
 * connect(2); RPYC_ETIMEOUT; RPYC_ECLOSED if the server accepts the connection and closes it;
 * RPYC_EPROTOCOL if the server does not speak RPyC; RPYC_EGENERATION if the server accepts only one
 * connection (OneShotServer), and librpyc has used it for the wrong envelope; RPYC_ETLS;
 * RPYC_ENOMEM. */
RPYC_API int rpyc_connect_tcp(rpyc_conn **out, const char *host, const char *port,
                              const struct rpyc_options *options, struct rpyc_error *err);

/* Like rpyc_connect_tcp, over a Unix socket. path is the name of a file, or "@name" for an abstract
 * socket. */
RPYC_API int rpyc_connect_unix(rpyc_conn **out, const char *path,
                               const struct rpyc_options *options, struct rpyc_error *err);

/* Like rpyc_connect_tcp, over a socket that is connected already. Takes the socket, also on
 * failure. Cannot try several envelopes: options must give the generation, and set bind_threads if
 * the server uses it. Errors: also RPYC_EINVAL if options is NULL or its generation is
 * RPYC_GENERATION_AUTO. */
RPYC_API int rpyc_connect_fd(rpyc_conn **out, int fd, const struct rpyc_options *options,
                             struct rpyc_error *err);

/* Tells the peer that the connection ends, closes the connection, and drops the caller's reference
 * to it. conn may be NULL. Values of the connection must still be released with rpyc_unref;
 * requests on them fail with RPYC_ECLOSED. */
RPYC_API void rpyc_close(rpyc_conn *conn);

/* The root object is the server's service. rpyc_has_root returns true if the root object has been
 * received. The root object can be missing only if connecting succeeded because of the early
 * request. rpyc_await_root waits for the root object. timeout_ms: 0: the timeout of requests;
 * negative: no timeout. After RPYC_ETIMEOUT or RPYC_EINTERRUPT the caller may wait again.
 *
 * Functions that need the root object wait for it themselves: rpyc_root, rpyc_module, rpyc_eval,
 * rpyc_execute, rpyc_namespace, and those that use a module. Until the root object has been
 * received, only one thread at a time may call any of the functions named in this comment. */
RPYC_API bool rpyc_has_root(const rpyc_conn *conn);
RPYC_API int rpyc_await_root(rpyc_conn *conn, int timeout_ms, struct rpyc_error *err);

/* Return the generation, or the whole envelope, of the connection's messages. */
RPYC_API enum rpyc_generation rpyc_conn_generation(const rpyc_conn *conn);
RPYC_API struct rpyc_envelope rpyc_conn_envelope(const rpyc_conn *conn);

/* Sends data and waits until the peer sends it back. Fails with RPYC_EPROTOCOL if other data comes
 * back. */
RPYC_API int rpyc_ping(rpyc_conn *conn, const void *data, size_t len, struct rpyc_error *err);

/* Sets the timeout of later requests, in ms. 0 and negative numbers mean the same as in
 * rpyc_options. */
RPYC_API void rpyc_set_timeout(rpyc_conn *conn, int request_timeout_ms);

/* Returns the timeout of requests in ms; negative: none. */
RPYC_API int rpyc_timeout(const rpyc_conn *conn);

/* For programs with an event loop. rpyc_fd returns the socket, to be polled for POLLIN.
 * rpyc_process handles all messages that have arrived: replies, and requests of the peer. If there
 * are none, it waits until one arrives. timeout_ms limits this wait; 0: do not wait; negative: no
 * limit. The wait also ends if a signal handler runs in this thread, or if another thread handles a
 * message. rpyc_process returns the number of messages that it handled: 0 if the wait ended without
 * one. On an error, or at the end of the connection (RPYC_ECLOSED), it returns -1. Before each
 * poll, call rpyc_process with a timeout of 0: a thread that waited for a reply may have read
 * further messages from the socket, and poll does not report these. */
RPYC_API int rpyc_fd(const rpyc_conn *conn);
RPYC_API int rpyc_process(rpyc_conn *conn, int timeout_ms, struct rpyc_error *err);

/* Like rpyc_process, but handles at most `most` messages (1 or more). So it returns even if the
 * peer never stops sending. If it returns `most`, call it again before the next poll: messages may
 * be left that poll does not report. */
RPYC_API int rpyc_process_some(rpyc_conn *conn, int most, int timeout_ms, struct rpyc_error *err);

/* Serves requests of the peer. Returns 0 when the peer closes the connection, -1 when an error
 * occurs. */
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

/* Drops a reference to value, which may be NULL. Frees value if this was the last reference. If
 * value is a netref, the message with the next request tells the peer that it may free the object.
 * One message releases the objects of all netrefs that were freed before. */
RPYC_API void rpyc_unref(rpyc_value *value);

/* Returns the type of value. NULL counts as None, because rpyc_item returns NULL beyond the end.
 * The functions below, up to rpyc_class_name, and the functions that send a request on an object
 * accept NULL in the same way. */
RPYC_API enum rpyc_type rpyc_type_of(const rpyc_value *value);

/* rpyc_str returns the text of a str in UTF-8, rpyc_bytes the content of a bytes; NULL for any
 * other type. The result is owned by value. It may contain NUL bytes, and one more NUL follows it.
 * *len is set to its length in bytes; len may be NULL. */
RPYC_API const char *rpyc_str(const rpyc_value *value, size_t *len);
RPYC_API const void *rpyc_bytes(const rpyc_value *value, size_t *len);

/* Sets *out to the value of an int or a bool. Fails with RPYC_ETYPE for any other type, and for an
 * int that does not fit an int64_t. */
RPYC_API int rpyc_int64(const rpyc_value *value, int64_t *out, struct rpyc_error *err);

/* Returns the decimal digits of an int that does not fit an int64_t, after a "-" if the int is
 * negative. Returns NULL for any other value. The result is owned by value. */
RPYC_API const char *rpyc_int_digits(const rpyc_value *value);

/* Sets *out to the value of a float, or of an int that a double can represent exactly. Fails with
 * RPYC_ETYPE for any other value. */
RPYC_API int rpyc_double(const rpyc_value *value, double *out, struct rpyc_error *err);

/* Sets *real and *imag to the parts of a complex. Also accepts every value that rpyc_double
 * accepts, and sets *imag to 0 for it. */
RPYC_API int rpyc_complex(const rpyc_value *value, double *real, double *imag,
                          struct rpyc_error *err);

/* rpyc_length returns the number of items of a tuple, frozenset or slice (3); 0 for any other type.
 * rpyc_item returns the item at index i, owned by value; NULL beyond the end. */
RPYC_API size_t rpyc_length(const rpyc_value *value);
RPYC_API rpyc_value *rpyc_item(const rpyc_value *value, size_t i);

/* Returns the class name of a netref as the peer sent it ("builtins.list"), owned by value; NULL
 * for any other type. */
RPYC_API const char *rpyc_class_name(const rpyc_value *value);

/* ---- Formats --------------------------------------------------------------------------------- */

/* A format string describes values. Each letter stands for one value. The second column shows the C
 * arguments from which the value is made:
 *
 *     s  const char *          a str, which must be UTF-8; None if the pointer is NULL
 *     z  const char *, size_t  a str that may contain NULs
 *     y  const void *, size_t  a bytes
 *     i  int                   an int
 *     l  int64_t               an int
 *     u  uint64_t              an int
 *     n  const char *          an int of any size, from its decimal digits
 *     d  double                a float
 *     c  double, double        a complex
 *     b  int                   a bool
 *     N  no argument           None
 *     E  no argument           Ellipsis
 *     X  no argument           NotImplemented
 *     O  rpyc_value *          this value; borrowed
 *
 *     ( )  a tuple    { }  a frozenset    [ ]  a slice, with three items: "[iiN]"
 *
 * Blanks and commas are ignored. In the format of a call, keyword arguments "name=letter" may
 * follow the positional arguments:
 *
 *     rpyc_callattr(list, "sort", NULL, &err, "key=O, reverse=b", key, 1)
 *
 * "*" stands for a tuple whose items are passed as positional arguments. "**" stands for a tuple of
 * (name, value) tuples, which are passed as keyword arguments. Each takes an rpyc_value *,
 * borrowed.
 *
 * Errors: RPYC_EINVAL for an invalid format, a str that is not UTF-8, invalid digits, or a netref
 * of another connection. */

/* Creates a value from a format: None if the format is empty, the value if the format describes one
 * value, or a tuple if it describes several values. */
RPYC_API int rpyc_build(rpyc_value **out, struct rpyc_error *err, const char *format, ...);

/* Encodes a value as brine, RPyC's encoding of plain values. The caller frees *data with free().
 * Errors: RPYC_ETYPE for a netref, a local object, or a container with one of them; RPYC_ENOMEM. */
RPYC_API int rpyc_dump(const rpyc_value *value, void **data, size_t *len, struct rpyc_error *err);

/* Creates a tuple of `count` values, which are borrowed. */
RPYC_API int rpyc_pack(rpyc_value **out, rpyc_value *const *items, size_t count,
                       struct rpyc_error *err);

/* ---- Requests -------------------------------------------------------------------------------- */

/* Each function sends one or a few requests on the object of a netref, and waits for the reply. If
 * out is an rpyc_value **, *out is set to a new reference; out may be NULL if the result is not
 * needed. Names and values are borrowed.
 *
 * Errors: RPYC_EREMOTE if the peer raised an exception; RPYC_ETYPE if obj is not a netref, or if
 * the result has another type than Python requires for this operation; those of the connection. */
RPYC_API int rpyc_getattr(rpyc_value *obj, const char *name, rpyc_value **out,
                          struct rpyc_error *err);
RPYC_API int rpyc_setattr(rpyc_value *obj, const char *name, rpyc_value *value,
                          struct rpyc_error *err);
RPYC_API int rpyc_delattr(rpyc_value *obj, const char *name, struct rpyc_error *err);

RPYC_API int rpyc_call(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err,
                       const char *format, ...);
RPYC_API int rpyc_callattr(rpyc_value *obj, const char *name, rpyc_value **out,
                           struct rpyc_error *err, const char *format, ...);

/* Execute obj[key], obj[key] = value, and del obj[key]. key may be a slice. */
RPYC_API int rpyc_getitem(rpyc_value *obj, rpyc_value *key, rpyc_value **out,
                          struct rpyc_error *err);
RPYC_API int rpyc_setitem(rpyc_value *obj, rpyc_value *key, rpyc_value *value,
                          struct rpyc_error *err);
RPYC_API int rpyc_delitem(rpyc_value *obj, rpyc_value *key, struct rpyc_error *err);

/* Evaluate len(obj), and `value in obj`. */
RPYC_API int rpyc_len(rpyc_value *obj, size_t *out, struct rpyc_error *err);
RPYC_API int rpyc_contains(rpyc_value *obj, rpyc_value *value, bool *out, struct rpyc_error *err);

/* Evaluates the comparison `obj op other`. op is one of < <= == != > >=. */
RPYC_API int rpyc_compare(rpyc_value *obj, const char *op, rpyc_value *other, bool *out,
                          struct rpyc_error *err);

/* Evaluate hash(obj); isinstance(obj, cls), where obj and cls are netrefs of one connection; and
 * bool(obj), where obj may be any value. */
RPYC_API int rpyc_hash(rpyc_value *obj, int64_t *out, struct rpyc_error *err);
RPYC_API int rpyc_isinstance(rpyc_value *obj, rpyc_value *cls, bool *out, struct rpyc_error *err);
RPYC_API int rpyc_truth(rpyc_value *obj, bool *out, struct rpyc_error *err);

/* Evaluate repr(obj) and str(obj), which give a str; dir(obj), which gives a tuple of str; and
 * pickle.dumps(obj, protocol), which gives a bytes. */
RPYC_API int rpyc_repr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_tostr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_dir(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_pickle(rpyc_value *obj, int protocol, rpyc_value **out, struct rpyc_error *err);

/* Enter and leave a context manager. rpyc_enter sets *out to what `with obj as name` assigns to
 * name. exception: a netref to the exception that ends the block; NULL: the block ends without an
 * exception. To make an exception, call for instance a class that rpyc_builtin returned.
 * *suppressed is set to true if __exit__ suppresses the exception; suppressed may be NULL. */
RPYC_API int rpyc_enter(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_exit(rpyc_value *obj, rpyc_value *exception, bool *suppressed,
                       struct rpyc_error *err);

/* An iteration over the object of a netref. rpyc_iterate starts it, and rpyc_iter_free frees it.
 * Each request gets several items. */
typedef struct rpyc_iter rpyc_iter;
RPYC_API int rpyc_iterate(rpyc_value *obj, rpyc_iter **out, struct rpyc_error *err);

/* Returns 1, and sets *item to the next item, a new reference. Returns 0 at the end of the
 * iteration, -1 on an error. */
RPYC_API int rpyc_next(rpyc_iter *iter, rpyc_value **item, struct rpyc_error *err);
RPYC_API void rpyc_iter_free(rpyc_iter *iter);

/* ---- Requests without waiting ---------------------------------------------------------------- */

/* A request that was sent, and whose result is fetched later. A connection may have any number of
 * them, and their replies may arrive in any order. Each function below that begins with rpyc_start
 * sends a request and stores it in *out; free it with rpyc_pending_free. */
typedef struct rpyc_pending rpyc_pending;

RPYC_API int rpyc_start_getattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                                struct rpyc_error *err);
RPYC_API int rpyc_start_call(rpyc_value *obj, rpyc_pending **out, struct rpyc_error *err,
                             const char *format, ...);
RPYC_API int rpyc_start_callattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                                 struct rpyc_error *err, const char *format, ...);

/* Like rpyc_request, but does not wait for the reply. */
RPYC_API int rpyc_start_request(rpyc_conn *conn, int handler, rpyc_pending **out,
                                struct rpyc_error *err, const char *format, ...);

/* Returns the early request of rpyc_options, which the caller then owns. NULL: there is none, it
 * was returned before, or there is no memory. */
RPYC_API rpyc_pending *rpyc_take_early(rpyc_conn *conn);

/* Waits for the result and moves it to *out; drops it if out is NULL. timeout_ms: 0: the timeout of
 * requests; negative: no timeout. A result can be fetched once. After RPYC_ETIMEOUT the caller may
 * wait again. RPYC_ECANCELED: rpyc_pending_cancel was called. */
RPYC_API int rpyc_pending_wait(rpyc_pending *pending, int timeout_ms, rpyc_value **out,
                               struct rpyc_error *err);

/* Returns true if rpyc_pending_wait would return at once. This function does not read from the
 * connection: call rpyc_process to receive replies that have arrived. */
RPYC_API bool rpyc_pending_is_done(rpyc_pending *pending);

/* Calls notify(arg) once, when the result has arrived or the connection is closed. If this has
 * happened already, rpyc_pending_notify calls notify itself. Otherwise the thread that reads the
 * reply, or closes the connection, calls notify. notify must return quickly. It may call
 * rpyc_pending_wait. */
RPYC_API void rpyc_pending_notify(rpyc_pending *pending, void (*notify)(void *arg), void *arg);

/* Makes rpyc_pending_wait fail with RPYC_ECANCELED, also in a thread that is waiting in it now. A
 * result that has arrived can still be fetched. The peer executes the request nevertheless. */
RPYC_API void rpyc_pending_cancel(rpyc_pending *pending);

/* Frees a request, whether or not its result has been fetched. Call this only when no thread waits
 * for the request. pending may be NULL. */
RPYC_API void rpyc_pending_free(rpyc_pending *pending);

/* ---- Local objects --------------------------------------------------------------------------- */

/* The operations of a local object, which is an object of this program that the peer can use.
 * librpyc calls them in rpyc_process, in rpyc_serve, and while a thread waits for the reply to a
 * request. An operation stores its result in *out. *out is NULL before the call; if it stays NULL,
 * the result is None.
 *
 * All functions but destroy return 0, or -1 with err filled. If rpyc_raise filled err, the peer
 * gets that exception. After another error, the peer gets a Python exception for the error's code,
 * such as TypeError for RPYC_ETYPE, or else RuntimeError. If an operation is NULL, the peer gets
 * the exception that Python raises for an object without the operation; if `str` is NULL, the peer
 * gets a default text. */
struct rpyc_ops {
    size_t size;                /* see RPYC_VERSION */
    const char *class_name;     /* the class name that the peer sees; NULL: "librpyc.Object" */
    const char *const *methods; /* names of the methods that `call` implements, ended by NULL; or
                                 * NULL */

    int (*getattr)(void *self, const char *name, rpyc_value **out, struct rpyc_error *err);
    /* value: borrowed; NULL deletes the attribute */
    int (*setattr)(void *self, const char *name, rpyc_value *value, struct rpyc_error *err);
    /* method: one of `methods`; NULL: the object itself is called. args: a tuple. kwargs: a tuple
     * of (name, value) tuples. */
    int (*call)(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                rpyc_value **out, struct rpyc_error *err);
    /* str() and repr(); the result must be a str */
    int (*str)(void *self, rpyc_value **out, struct rpyc_error *err);
    /* called when neither side has a reference any more */
    void (*destroy)(void *self);
};

/* Creates a value for a local object. The value may be an argument of a request or the result of
 * an operation. self is passed to each operation. ops must remain valid as long as the object
 * exists. */
RPYC_API int rpyc_object(rpyc_value **out, const struct rpyc_ops *ops, void *self,
                         struct rpyc_error *err);

/* rpyc_function creates a value for a function of this program, which the peer can then call. arg
 * is passed to the function. args, kwargs, *out and the return value are as for `call` in struct
 * rpyc_ops. */
typedef int (*rpyc_function_fn)(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                                struct rpyc_error *err);
RPYC_API int rpyc_function(rpyc_value **out, rpyc_function_fn function, void *arg,
                           struct rpyc_error *err);

/* Returns the `self` that was passed to rpyc_object; NULL for any other value. */
RPYC_API void *rpyc_object_self(const rpyc_value *value);

/* Fills err with an exception for the peer. class_name is a class of the module builtins
 * ("ValueError"); the printf text is the exception's argument. Returns -1. */
RPYC_API int rpyc_raise(struct rpyc_error *err, const char *class_name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Requests by number ---------------------------------------------------------------------- */

/* Sends a request to the handler that has this number, and waits for the reply. The format
 * describes the arguments, which cannot be keyword arguments. Use this for handlers that have no
 * function in this header. Errors: those of other requests; RPYC_EREMOTE if the server does not
 * know the number; RPYC_EINVAL for a keyword argument. */
RPYC_API int rpyc_request(rpyc_conn *conn, int handler, rpyc_value **out, struct rpyc_error *err,
                          const char *format, ...);

/* ---- The classic service --------------------------------------------------------------------- */

/* Sets *out to the root object of the connection, which is the server's service. */
RPYC_API int rpyc_root(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

/* Imports a module in the peer ("os.path"). *out: a netref to the module. */
RPYC_API int rpyc_module(rpyc_conn *conn, const char *name, rpyc_value **out,
                         struct rpyc_error *err);

/* Sets *out to true if the peer can find a module of this name, else to false. */
RPYC_API int rpyc_has_module(rpyc_conn *conn, const char *name, bool *out, struct rpyc_error *err);

/* Gets an attribute of the peer's module builtins, such as "len" or "ValueError". */
RPYC_API int rpyc_builtin(rpyc_conn *conn, const char *name, rpyc_value **out,
                          struct rpyc_error *err);

/* Evaluate an expression, or execute statements, in the connection's own namespace in the peer. */
RPYC_API int rpyc_eval(rpyc_conn *conn, const char *text, rpyc_value **out, struct rpyc_error *err);
RPYC_API int rpyc_execute(rpyc_conn *conn, const char *text, struct rpyc_error *err);

/* Sets *out to a netref to the connection's namespace in the peer, a dict. */
RPYC_API int rpyc_namespace(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

/* ---- Deprecated names ------------------------------------------------------------------------ */

/* Names of version 0.9, kept for one release. */
#define rpyc_dialect rpyc_envelope
RPYC_API struct rpyc_envelope rpyc_conn_dialect(const rpyc_conn *conn)
    __attribute__((deprecated("use rpyc_conn_envelope")));

#ifdef __cplusplus
}
#endif

#endif
