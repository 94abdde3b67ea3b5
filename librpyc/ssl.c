/* SPDX-License-Identifier: BSD-3-Clause
 *
 * librpyc-ssl: streams over OpenSSL.
 *
 * One thread may receive on a stream while another thread sends, but an SSL object does not support
 * that. So a mutex is held during each call of OpenSSL. These calls never block: a thread that has
 * to wait releases the mutex first. This file defines a BIO of its own, because OpenSSL's BIO for
 * sockets raises SIGPIPE.
 */
#include "openssl.h"
#include "subject.h"
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* OpenSSL's reason for a stream that ends without a close_notify. OpenSSL 1.1.1 does not define it,
 * and reports such an end as a failed system call with errno 0. */
#ifndef SSL_R_UNEXPECTED_EOF_WHILE_READING
#define SSL_R_UNEXPECTED_EOF_WHILE_READING 294
#endif

struct state {
    SSL_CTX *ctx; /* a reference */
    SSL *ssl;
    pthread_mutex_t lock; /* held during each call of OpenSSL on ssl */
};

/* ---- The socket as a BIO -------------------------------------------------------------------- */

/* Returns the fd of a BIO. The BIO does not point to the struct stream, because that struct is
 * copied. */
static int fd_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int finish_io(BIO *bio, ssize_t n, int retry_flag)
{
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    return (int)n;
}

static int bio_read(BIO *bio, char *bytes, int n)
{
    return finish_io(bio, recv(fd_of(bio), bytes, (size_t)n, MSG_DONTWAIT), BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *bytes, int n)
{
    return finish_io(bio, send(fd_of(bio), bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL),
                     BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "rpyc stream");

    if (method && BIO_meth_set_read(method, bio_read) && BIO_meth_set_write(method, bio_write) &&
        BIO_meth_set_ctrl(method, bio_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

static BIO_METHOD *method;

/* ---- The end of the process ----------------------------------------------------------------- */

/* exit(3) makes OpenSSL free its data while other threads still run. So each call of OpenSSL holds
 * this lock for reading. At exit(3), the lock is taken for writing and never released, so that no
 * later call of OpenSSL is made. */
static pthread_rwlock_t in_use = PTHREAD_RWLOCK_INITIALIZER;

static bool begin_call(void)
{
    return pthread_rwlock_tryrdlock(&in_use) == 0;
}

static void end_call(void)
{
    pthread_rwlock_unlock(&in_use);
}

static void at_exit(void)
{
    pthread_rwlock_wrlock(&in_use);
}

/* Initializes the lock again in the child of a fork, where the threads that held it do not
 * exist. */
static void after_fork(void)
{
    pthread_rwlock_init(&in_use, NULL);
}

/* Initializes OpenSSL, which registers a function of its own with atexit(3). exit(3) calls at_exit
 * before OpenSSL's function, because at_exit is registered later. */
static void set_up(void)
{
    OPENSSL_init_ssl(0, NULL);
    method = make_method();
    atexit(at_exit);
    pthread_atfork(NULL, NULL, after_fork);
}

/* ---- Errors --------------------------------------------------------------------------------- */

/* Returns the text of OpenSSL's last error. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "unknown reason";
}

/* True if one of OpenSSL's errors is that memory ran out. Later errors may only be a consequence,
 * such as "invalid certificate". Clears the errors. */
static bool lacked_memory(void)
{
    unsigned long code;
    bool lacked = false;

    while ((code = ERR_get_error()) != 0)
        lacked = lacked || openssl_is_nomem(code);
    return lacked;
}

/* Fills err for a file or an option that cannot be used. Returns -1. */
static int bad_option(const char *what, const char *file, struct rpyc_error *err)
{
    bool is_no_pem = openssl_is_pem(ERR_peek_last_error());
    const char *why = is_no_pem ? "expected PEM without a passphrase" : reason();
    int code = openssl_reason(ERR_peek_last_error());
    bool is_mismatch = code == X509_R_KEY_VALUES_MISMATCH || code == X509_R_KEY_TYPE_MISMATCH;

    if (lacked_memory())
        return error_nomem(err);
    return error_tls(err, is_mismatch ? RPYC_TLS_KEY_MISMATCH : RPYC_TLS_BAD_FILE,
                     "TLS: cannot use the %s %s: %s", what, file, why);
}

/* What a code of OpenSSL means. */
struct meaning {
    int code;
    enum rpyc_tls_reason reason;
};

/* What the results of OpenSSL's check of the server's certificate mean. */
static const struct meaning verifications[] = {
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, RPYC_TLS_SERVER_CA_UNKNOWN},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, RPYC_TLS_SERVER_CA_UNKNOWN},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, RPYC_TLS_SERVER_CA_UNKNOWN},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, RPYC_TLS_SERVER_CA_UNKNOWN},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, RPYC_TLS_SERVER_CA_UNKNOWN},
    {X509_V_ERR_CERT_HAS_EXPIRED, RPYC_TLS_SERVER_EXPIRED},
    {X509_V_ERR_CERT_NOT_YET_VALID, RPYC_TLS_SERVER_NOT_YET_VALID},
    {X509_V_ERR_HOSTNAME_MISMATCH, RPYC_TLS_SERVER_OTHER_NAME},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, RPYC_TLS_SERVER_OTHER_NAME},
    {X509_V_ERR_INVALID_PURPOSE, RPYC_TLS_SERVER_PURPOSE},
    {0, RPYC_TLS_SERVER_REFUSED},
};

/* What OpenSSL's reasons mean, if a handshake or a later call fails. */
static const struct meaning errors[] = {
    {SSL_R_WRONG_VERSION_NUMBER, RPYC_TLS_NOT_SPOKEN},
    {SSL_R_HTTP_REQUEST, RPYC_TLS_NOT_SPOKEN},
    {SSL_R_HTTPS_PROXY_REQUEST, RPYC_TLS_NOT_SPOKEN},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, RPYC_TLS_NO_COMMON_CIPHER},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, RPYC_TLS_NO_COMMON_VERSION},
    {SSL_R_UNSUPPORTED_PROTOCOL, RPYC_TLS_NO_COMMON_VERSION},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, RPYC_TLS_CLIENT_MISSING},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, RPYC_TLS_CLIENT_CA_UNKNOWN},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, RPYC_TLS_CLIENT_EXPIRED},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, RPYC_TLS_CLIENT_REVOKED},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, RPYC_TLS_CLIENT_BAD},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, RPYC_TLS_CLIENT_PURPOSE},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, RPYC_TLS_CLIENT_DENIED},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, RPYC_TLS_CLIENT_DENIED},
    {0, RPYC_TLS_OTHER},
};

/* Looks up a code in a table. The last row of the table is for all other codes. */
static enum rpyc_tls_reason meaning_of(int code, const struct meaning *row)
{
    while (row->code != 0 && row->code != code)
        row++;
    return row->reason;
}

/* Fills err after a failed handshake or call. Returns -1. */
static int tls_failed(struct state *state, struct rpyc_error *err)
{
    const char *peer = SSL_is_server(state->ssl) ? "client" : "server";
    long verified = SSL_get_verify_result(state->ssl);
    int code = openssl_reason(ERR_peek_last_error());
    enum rpyc_tls_reason why = meaning_of(code, errors);

    if (code == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK)
        return error_tls(err, meaning_of((int)verified, verifications),
                         "the %s's certificate is not accepted: %s", peer,
                         X509_verify_cert_error_string(verified));
    if (code == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return error_tls(err, why, "the client sent no certificate");
    if (why == RPYC_TLS_CLIENT_MISSING)
        return error_tls(err, why, "the server requires a client certificate");
    if (why == RPYC_TLS_NOT_SPOKEN)
        return error_tls(err, why, "the %s does not speak TLS", peer);
    return error_tls(err, why, "TLS: %s", reason());
}

/* ---- Calls ---------------------------------------------------------------------------------- */

/* Makes one call of OpenSSL. Returns a number above 0 on success, with the number of bytes in
 * *done. Otherwise the result is for SSL_get_error. */
typedef int (*ssl_call)(SSL *ssl, void *bytes, size_t n, size_t *done);

static int call_handshake(SSL *ssl, void *bytes, size_t n, size_t *done)
{
    (void)bytes;
    (void)n;
    *done = 1;
    return SSL_do_handshake(ssl);
}

static int call_read(SSL *ssl, void *bytes, size_t n, size_t *done)
{
    return SSL_read_ex(ssl, bytes, n, done);
}

static int call_write(SSL *ssl, void *bytes, size_t n, size_t *done)
{
    return SSL_write_ex(ssl, bytes, n, done);
}

/* Fills err after sending failed because the peer closed the connection. If the peer has sent an
 * alert before, which was not read yet, fills err with the reason in the alert. Returns -1. */
static int peer_closed(struct state *state, struct rpyc_error *err)
{
    char byte;
    size_t n;
    int result;

    ERR_clear_error();
    result = SSL_peek_ex(state->ssl, &byte, 1, &n);
    if (result <= 0 && SSL_get_error(state->ssl, result) == SSL_ERROR_SSL &&
        openssl_reason(ERR_peek_last_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return tls_failed(state, err);
    return error_set(err, RPYC_ECLOSED, "the peer closed the connection");
}

/* Decides what to do after a failed call. Returns the events to poll for before the call is
 * repeated; 0 at the end of the stream; -1 with err filled. */
static int wants(struct state *state, int result, struct rpyc_error *err)
{
    int saved = errno;

    switch (SSL_get_error(state->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (saved == 0)
            return 0;
        if (saved == EPIPE || saved == ECONNRESET)
            return peer_closed(state, err);
        return error_system(err, saved, "TLS");
    default:
        if (openssl_reason(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return 0; /* the peer hung up without close_notify, as stock peers do; frame.c finds
                       * truncated messages */
        return tls_failed(state, err);
    }
}

/* Repeats the call until it succeeds, and waits for the socket in between. Returns the number of
 * bytes; 0 at the end of the stream; -1 with err filled. */
static ssize_t run(struct stream *s, struct state *state, ssl_call call, void *bytes, size_t n,
                   deadline_t deadline, struct rpyc_error *err)
{
    size_t done = 0;
    int result, events = 0;

    for (;;) {
        if (!stream_is_ours(s))
            return error_set(err, RPYC_ECLOSED, "other code of this process closed the socket");
        if (!begin_call())
            return error_set(err, RPYC_ECLOSED, "the process is ending");
        pthread_mutex_lock(&state->lock);
        ERR_clear_error();
        errno = 0;
        result = call(state->ssl, bytes, n, &done);
        if (result <= 0)
            events = wants(state, result, err);
        pthread_mutex_unlock(&state->lock);
        end_call();
        if (result > 0)
            return (ssize_t)done;
        if (events <= 0)
            return events;
        if (stream_wait(s->fd, (short)events, s->watch, deadline, err) < 0)
            return -1;
    }
}

static ssize_t receive(struct stream *s, void *bytes, size_t n, deadline_t deadline,
                       struct rpyc_error *err)
{
    return run(s, s->tls_state, call_read, bytes, n, deadline, err);
}

static ssize_t send_some(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                         struct rpyc_error *err)
{
    ssize_t sent = run(s, s->tls_state, call_write, (void *)bytes, n, deadline, err);

    if (sent == 0)
        return error_set(err, RPYC_ECLOSED, "the peer closed the connection");
    return sent;
}

/* ---- Setting up ----------------------------------------------------------------------------- */

static void free_state(void *p)
{
    struct state *state = p;

    if (!begin_call())
        return;
    SSL_free(state->ssl);
    SSL_CTX_free(state->ctx);
    end_call();
    pthread_mutex_destroy(&state->lock);
    free(state);
}

/* Supplies no passphrase. Without this function OpenSSL would ask for one on the terminal, which a
 * library must not do. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static int load_authorities(SSL_CTX *ctx, const char *file, struct rpyc_error *err)
{
    if (!file)
        return SSL_CTX_set_default_verify_paths(ctx) ? 0 : bad_option("system's", "CAs", err);
    if (SSL_CTX_load_verify_locations(ctx, file, NULL))
        return 0;
    return bad_option("CA file", file, err);
}

static int load_certificate(SSL_CTX *ctx, const char *cert_file, const char *key_file,
                            struct rpyc_error *err)
{
    const char *key = key_file ? key_file : cert_file;

    if (!cert_file)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return bad_option("certificate", cert_file, err);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return bad_option("key", key, err);
    return 0;
}

/* Creates a context with the settings that clients and servers share; NULL with RPYC_ENOMEM. */
static SSL_CTX *new_context(const SSL_METHOD *role, struct rpyc_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(role);

    if (!ctx) {
        error_nomem(err);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS_OLDEST_VERSION);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

static int make_client_context(struct state *state, const struct rpyc_tls *o,
                               struct rpyc_error *err)
{
    state->ctx = new_context(TLS_client_method(), err);
    if (!state->ctx)
        return -1;
    SSL_CTX_set_verify(state->ctx, o->insecure_no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (!o->insecure_no_verify && load_authorities(state->ctx, o->ca_file, err) < 0)
        return -1;
    return load_certificate(state->ctx, o->cert_file, o->key_file, err);
}

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Sets the server's name. The server's certificate must be for this name. The name is also sent in
 * the handshake (SNI), unless it is an IP address. */
static int name_server(SSL *ssl, const char *host, struct rpyc_error *err)
{
    bool ok;

    if (is_address(host))
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    else
        ok = SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
    return ok ? 0 : error_set(err, RPYC_ETLS, "TLS: '%s' is not a valid server name", host);
}

static int make_ssl(struct state *state, const struct stream *s, struct rpyc_error *err)
{
    BIO *bio;

    state->ssl = SSL_new(state->ctx);
    bio = method ? BIO_new(method) : NULL;
    if (!state->ssl || !bio) {
        BIO_free(bio);
        return error_nomem(err);
    }
    BIO_set_data(bio, (void *)(intptr_t)s->fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(state->ssl, bio, bio);
    return 0;
}

static int make_client(struct state *state, const struct stream *s, const struct rpyc_tls *o,
                       const char *host, struct rpyc_error *err)
{
    const char *name = o->server_name ? o->server_name : host;

    if (make_client_context(state, o, err) < 0 || make_ssl(state, s, err) < 0)
        return -1;
    SSL_set_connect_state(state->ssl);
    if (name)
        return name_server(state->ssl, name, err);
    return o->insecure_no_verify
               ? 0
               : error_set(
                     err, RPYC_EINVAL,
                     "TLS needs the name that the server's certificate must have: set server_name");
}

/* Performs the handshake. Signals do not interrupt it, just as they do not interrupt connecting. */
static int shake_hands(struct stream *s, struct state *state, deadline_t deadline,
                       struct rpyc_error *err)
{
    struct rpyc_error why;
    ssize_t result;

    do {
        why = (struct rpyc_error)RPYC_ERROR_INIT;
        result = run(s, state, call_handshake, NULL, 0, deadline, &why);
    } while (result < 0 && why.code == RPYC_EINTERRUPT);
    if (result > 0)
        return 0;
    if (result == 0)
        return error_set(err, RPYC_ECLOSED, "the peer hung up during the TLS handshake");
    if (err)
        *err = why; /* `why` owns no memory */
    return -1;
}

static void set_up_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up);
}

/* Creates a stream's TLS state, and calls begin_call: OpenSSL may be called until end_state. The
 * state's lock is not needed before end_state, because no other thread uses the state. NULL: an
 * error. */
static struct state *begin_state(struct rpyc_error *err)
{
    struct state *state;

    set_up_once();
    if (!begin_call()) {
        error_set(err, RPYC_ECLOSED, "the process is ending");
        return NULL;
    }
    state = calloc(1, sizeof(*state));
    if (!state) {
        end_call();
        error_nomem(err);
        return NULL;
    }
    pthread_mutex_init(&state->lock, NULL);
    return state;
}

/* Calls end_call, performs the handshake, and stores the state in the stream. made: -1 if the state
 * could not be filled. In this case, the function only calls end_call, frees the state and returns
 * -1. Takes the state. */
static int end_state(struct stream *s, struct state *state, int made, deadline_t deadline,
                     struct rpyc_error *err)
{
    end_call();
    if (made < 0 || shake_hands(s, state, deadline, err) < 0) {
        free_state(state);
        return -1;
    }
    s->tls_state = state;
    return 0;
}

static int connect_stream(struct stream *s, const struct rpyc_tls *o, const char *host,
                          deadline_t deadline, struct rpyc_error *err)
{
    struct state *state = begin_state(err);

    return state ? end_state(s, state, make_client(state, s, o, host, err), deadline, err) : -1;
}

/* ---- Servers -------------------------------------------------------------------------------- */

/* A server's context, and the clients that may connect. */
struct server {
    SSL_CTX *ctx;
    const char *const *subjects; /* borrowed from the options */
};

/* Loads the revocation lists in `file`. Does nothing if file is NULL. If lists are loaded, the
 * issuer of every certificate in a client's chain must have a current list in the file. If the list
 * of an issuer is missing, the client is refused, because the certificate that this issuer signed
 * may have been revoked. */
static int load_revocations(SSL_CTX *ctx, const char *file, struct rpyc_error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509_LOOKUP *lookup;

    if (!file)
        return 0;
    lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (!lookup || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) < 1)
        return bad_option("list of revoked certificates", file, err);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

/* Sets whether clients are asked for a certificate, and which CAs may have signed it. */
static int ask_for_certificates(SSL_CTX *ctx, const struct tls_server_options *o,
                                struct rpyc_error *err)
{
    int mode = SSL_VERIFY_NONE;

    if (o->client_cert != TLS_CLIENT_CERT_UNASKED)
        mode = SSL_VERIFY_PEER;
    if (o->client_cert == TLS_CLIENT_CERT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    if (!o->ca_file)
        return 0;
    if (load_authorities(ctx, o->ca_file, err) < 0 || load_revocations(ctx, o->crl_file, err) < 0)
        return -1;
    SSL_CTX_set_client_CA_list(
        ctx, SSL_load_client_CA_file(
                 o->ca_file)); /* the client selects its certificate by these names */
    return 0;
}

static int set_up_server(SSL_CTX *ctx, const struct tls_server_options *o, struct rpyc_error *err)
{
    /* Disables session resumption, so that a client shows its certificate on each connection. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(ctx, 0);
    if (o->only_tls_1_2)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    if (o->ciphers && !SSL_CTX_set_cipher_list(ctx, o->ciphers))
        return bad_option("ciphers", o->ciphers, err);
    if (load_certificate(ctx, o->cert_file, o->key_file, err) < 0)
        return -1;
    return ask_for_certificates(ctx, o, err);
}

static void free_server(void *context)
{
    struct server *server = context;

    if (!begin_call())
        return;
    SSL_CTX_free(server->ctx);
    end_call();
    free(server);
}

/* Creates server->ctx. Call between begin_call and end_call. */
static int make_server_context(struct server *server, const struct tls_server_options *o,
                               struct rpyc_error *err)
{
    server->ctx = new_context(TLS_server_method(), err);
    if (server->ctx && set_up_server(server->ctx, o, err) == 0)
        return 0;
    ERR_clear_error(); /* the calling thread may use OpenSSL itself and must not find these errors
                        */
    SSL_CTX_free(server->ctx);
    return -1;
}

static int new_server(void **context, const struct tls_server_options *o, struct rpyc_error *err)
{
    struct server *server = calloc(1, sizeof(*server));
    int result;

    if (!server)
        return error_nomem(err);
    server->subjects = o->subjects;
    set_up_once();
    if (begin_call()) {
        result = make_server_context(server, o, err);
        end_call();
    } else
        result = error_set(err, RPYC_ECLOSED, "the process is ending");
    if (result < 0) {
        free(server);
        return -1;
    }
    *context = server;
    return 0;
}

static int make_server(struct state *state, const struct stream *s, SSL_CTX *ctx,
                       struct rpyc_error *err)
{
    SSL_CTX_up_ref(ctx);
    state->ctx = ctx;
    if (make_ssl(state, s, err) < 0)
        return -1;
    SSL_set_accept_state(state->ssl);
    return 0;
}

/* Checks that the client's certificate is for one of the allowed subjects. */
static int check_subject(const struct state *state, const char *const *subjects,
                         struct rpyc_error *err)
{
    char text[128] = "";
    bool is_good;
    X509 *cert;

    if (!begin_call())
        return error_set(err, RPYC_ECLOSED, "the process is ending");
    cert = SSL_get1_peer_certificate(state->ssl);
    is_good = cert && subject_is_one_of(cert, subjects);
    if (cert)
        subject_text(cert, text, sizeof(text));
    X509_free(cert);
    end_call();
    if (is_good)
        return 0;
    return error_set(err, RPYC_ETLS, "the client's certificate is for '%s', which is not allowed",
                     text);
}

static int accept_stream(struct stream *s, void *context, deadline_t deadline,
                         struct rpyc_error *err)
{
    const struct server *server = context;
    struct state *state = begin_state(err);

    if (!state || end_state(s, state, make_server(state, s, server->ctx, err), deadline, err) < 0)
        return -1;
    if (!server->subjects || check_subject(state, server->subjects, err) == 0)
        return 0;
    s->tls_state = NULL;
    free_state(state);
    return -1;
}

static int to_der(X509 *cert, uint8_t **der, size_t *len)
{
    int n = i2d_X509(cert, NULL);
    unsigned char *end;

    *der = end = n > 0 ? malloc((size_t)n) : NULL;
    if (!end)
        return -1;
    *len = (size_t)i2d_X509(cert, &end);
    return 0;
}

static int peer_cert(const struct stream *s, uint8_t **der, size_t *len)
{
    struct state *state = s->tls_state;
    X509 *cert;
    int result;

    if (!begin_call())
        return 0;
    cert = SSL_get1_peer_certificate(state->ssl);
    result = cert ? to_der(cert, der, len) : 0;
    X509_free(cert);
    end_call();
    return result;
}

static void end_thread(void)
{
    if (begin_call()) {
        OPENSSL_thread_stop();
        end_call();
        return;
    }
    for (;;)
        pause();
}

static int load(struct rpyc_error *err)
{
    const char *why;

    return openssl_load(&why) ? 0 : error_tls(err, RPYC_TLS_NO_OPENSSL, "%s", why);
}

extern RPYC_API const struct stream_tls rpyc_ssl;
const struct stream_tls rpyc_ssl = {
    .version = TLS_VERSION,
    .load = load,
    .connect = connect_stream,
    .server_new = new_server,
    .server_free = free_server,
    .accept = accept_stream,
    .peer_cert = peer_cert,
    .receive = receive,
    .send_some = send_some,
    .free = free_state,
    .thread_end = end_thread,
};
