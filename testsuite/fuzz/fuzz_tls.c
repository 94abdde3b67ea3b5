/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TLS: the server's end, with the fuzzer as client; the client's end, with the fuzzer as server;
 * and certificates, which subject.c reads.
 *
 * The first byte of the input selects one of these and its options (see the enum); the second is
 * how many bytes arrive at a time, 0 for all; the rest is what the peer sends, or a certificate as
 * DER. After a handshake the tested end reads everything and sends something.
 *
 * The random numbers are the same in each run, so a recorded handshake can be replayed up to its
 * end, including the encrypted part. With FUZZ_RECORD=DIRECTORY the program performs handshakes
 * with OpenSSL itself, for each version and each kind of certificate, and records them as inputs.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method */

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "subject.h"
#include "tls.h"

/* The first byte of the input. */
enum {
    WHAT = 0x03, /* one of the following: */
    SERVER = 0x00,
    CLIENT = 0x01,
    SUBJECT = 0x02,
    ONLY_TLS_1_2 = 0x04,
    CERTIFICATES = 0x18, /* for the server's end: a value of enum tls_client_cert, or */
    ALLOWED = 0x18,      /* a client certificate with certain names is required */
    UNVERIFIED = 0x08,   /* for the client's end: accepts any certificate; */
    CERTIFIED = 0x10,    /* the client's end shows a certificate */
    STOPS = 0x20,        /* the peer goes silent after the last byte, without closing */
    INTERRUPTED = 0x40   /* a signal interrupts each wait once */
};

#define KINDS (ALLOWED + ONLY_TLS_1_2 + 1)

extern const struct stream_tls rpyc_ssl;

/* ---- Random numbers -------------------------------------------------------------------------- */

static __thread uint64_t random_state;

static int random_bytes(unsigned char *bytes, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        random_state = random_state * 6364136223846793005 + 1442695040888963407;
        bytes[i] = (unsigned char)(random_state >> 33);
    }
    return 1;
}

static int random_status(void)
{
    return 1;
}

static const RAND_METHOD random_method = {
    .bytes = random_bytes, .pseudorand = random_bytes, .status = random_status};

/* ---- Certificates ---------------------------------------------------------------------------- */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static struct identity ca, server, client;
static const char *const allowed[] = {"a client", NULL};
static char directory[] = "/tmp/pystuck-fuzz-XXXXXX";
static void *contexts[KINDS];

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    must(EVP_PKEY_keygen_init(ctx) == 1);
    must(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) == 1);
    must(EVP_PKEY_keygen(ctx, &key) == 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static struct identity make_identity(const char *name, const struct identity *issuer,
                                     const char *alternative)
{
    struct identity i = {make_key(), X509_new()};
    X509_NAME *subject = X509_get_subject_name(i.cert);
    X509_EXTENSION *more;

    X509_set_version(i.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(i.cert), (long)strlen(name));
    ASN1_TIME_set_string(X509_getm_notBefore(i.cert), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(i.cert), "21990101000000Z");
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"\xc3\x84, = +",
                               -1, -1, 0);
    X509_set_issuer_name(i.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    X509_set_pubkey(i.cert, i.key);
    more = X509V3_EXT_conf_nid(NULL, NULL, issuer ? NID_subject_alt_name : NID_basic_constraints,
                               issuer ? alternative : "critical,CA:TRUE");
    X509_add_ext(i.cert, more, -1);
    X509_EXTENSION_free(more);
    must(X509_sign(i.cert, issuer ? issuer->key : i.key, EVP_sha256()) > 0);
    return i;
}

static const char *path_of(const char *name)
{
    static char paths[3][64];
    static unsigned next;
    char *path = paths[next++ % 3];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void write_identity(const char *name, const struct identity *i)
{
    FILE *f = fopen(path_of(name), "w");

    must(f != NULL && PEM_write_X509(f, i->cert) == 1);
    must(PEM_write_PrivateKey(f, i->key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(f);
}

static void make_context(unsigned kind)
{
    const struct tls_server_options options = {
        .cert_file = path_of("server.pem"),
        .ca_file = path_of("ca.pem"),
        .client_cert = (kind & CERTIFICATES) == ALLOWED
                           ? TLS_CLIENT_CERT_REQUIRED
                           : (enum tls_client_cert)((kind & CERTIFICATES) / 0x08),
        .only_tls_1_2 = kind & ONLY_TLS_1_2,
        .subjects = (kind & CERTIFICATES) == ALLOWED ? allowed : NULL,
    };

    must(rpyc_ssl.server_new(&contexts[kind], &options, NULL) == 0);
}

static void remove_files(void)
{
    unlink(path_of("ca.pem"));
    unlink(path_of("server.pem"));
    unlink(path_of("client.pem"));
    rmdir(directory);
}

static void make_world(void)
{
    unsigned kind;

    must(RAND_set_rand_method(&random_method) == 1 && mkdtemp(directory) != NULL);
    ca = make_identity("CA", NULL, NULL);
    server = make_identity("a server", &ca, "DNS:server.test");
    client = make_identity("a client", &ca, "DNS:client.test");
    write_identity("ca.pem", &ca);
    write_identity("server.pem", &server);
    write_identity("client.pem", &client);
    for (kind = 0; kind < KINDS; kind++) {
        if ((kind & (CERTIFICATES | ONLY_TLS_1_2)) == kind)
            make_context(kind);
    }
    atexit(remove_files);
}

/* ---- What the peer sends --------------------------------------------------------------------- */

/* The wrappers (--wrap in run-fuzz) fill the socket when the tested end waits for it. */
static struct {
    int fd;
    const uint8_t *data;
    size_t left, piece;
    unsigned kind;
    bool live; /* the peer is a thread: this is a recording */
    bool interrupted, ended;
} peer;

static void drain(void)
{
    char bytes[4096];

    while (recv(peer.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

/* Sends the next piece, or closes the socket after the last. False: nothing is left to send. */
static bool feed(void)
{
    size_t n = peer.piece && peer.piece < peer.left ? peer.piece : peer.left;
    ssize_t sent;

    if (n == 0) {
        if (peer.ended || peer.kind & STOPS)
            return false;
        peer.ended = true;
        shutdown(peer.fd, SHUT_WR);
        return true;
    }
    sent = send(peer.fd, peer.data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    must(sent > 0); /* the tested end has read everything before it waits */
    peer.data += sent;
    peer.left -= (size_t)sent;
    return true;
}

/* Declared with the types of the functions they replace, so that a changed type is an error here.
 * */
__typeof__(stream_wait) __real_stream_wait, __wrap_stream_wait;
int __wrap_stream_wait(int fd, short events, const struct stream_watch *watch, deadline_t deadline,
                       struct rpyc_error *err)
{
    if (peer.live)
        return __real_stream_wait(fd, events, watch, deadline, err);
    if (peer.kind & INTERRUPTED && !peer.interrupted) {
        peer.interrupted = true;
        return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
    }
    peer.interrupted = false;
    drain();
    if (events == POLLIN && !feed())
        return error_set(err, RPYC_ETIMEOUT, "timed out");
    must(events == POLLIN || events == POLLOUT);
    return 0;
}

/* ---- Our end --------------------------------------------------------------------------------- */

static bool shook_hands; /* set by the last input */

/* Checks whether the peer has shown the one valid certificate. */
static void must_be(const struct stream *s, const X509 *expected)
{
    uint8_t *der = NULL, *good = NULL;
    size_t len = 0;
    int n;

    must(rpyc_ssl.peer_cert(s, &der, &len) == 0);
    n = i2d_X509(expected, &good);
    must(der && len == (size_t)n && memcmp(der, good, len) == 0);
    free(der);
    OPENSSL_free(good);
}

/* Reads until the end and sends something. */
static void talk(struct stream *s)
{
    static const uint8_t word[20000];
    AUTO_ERROR err = RPYC_ERROR_INIT;
    uint8_t bytes[1000];
    ssize_t n;

    do {
        rpyc_error_clear(&err);
        n = stream_receive(s, bytes, sizeof(bytes), DEADLINE_NEVER, &err);
        must_agree((int)n, &err);
    } while (n > 0 || err.code == RPYC_EINTERRUPT);
    rpyc_error_clear(&err);
    n = stream_send_some(s, word, sizeof(word), DEADLINE_NEVER, &err);
    must_agree((int)n, &err);
    must(n != 0);
}

static int shake_hands(struct stream *s, unsigned kind, struct rpyc_error *err)
{
    const struct rpyc_tls options = {
        .ca_file = path_of("ca.pem"),
        .cert_file = kind & CERTIFIED ? path_of("client.pem") : NULL,
        .insecure_no_verify = kind & UNVERIFIED,
    };

    if ((kind & WHAT) == CLIENT)
        return rpyc_ssl.connect(s, &options, "server.test", DEADLINE_NEVER, err);
    return rpyc_ssl.accept(s, contexts[kind & (CERTIFICATES | ONLY_TLS_1_2)], DEADLINE_NEVER, err);
}

/* Runs one connection with a peer at the other end of fd. Closes fd. */
static void be_our_end(int fd, unsigned kind)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;
    int result;

    random_state = 1;
    stream_open(&s, fd);
    result = shake_hands(&s, kind, &err);
    must_agree(result, &err);
    shook_hands = result == 0;
    if (result == 0) {
        s.tls = &rpyc_ssl;
        if ((kind & WHAT) == CLIENT && !(kind & UNVERIFIED))
            must_be(&s, server.cert);
        if ((kind & WHAT) == SERVER && (kind & CERTIFICATES) / 0x08 >= TLS_CLIENT_CERT_REQUIRED)
            must_be(&s, client.cert);
        talk(&s);
    }
    stream_close(&s);
    ERR_clear_error();
}

static void connection(unsigned kind, const uint8_t *data, size_t size)
{
    const int small = 1;
    int fds[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    memset(&peer, 0, sizeof(peer));
    peer.fd = fds[1];
    peer.kind = kind;
    peer.piece = size > 0 ? data[0] : 0;
    peer.data = data + (size > 0);
    peer.left = size - (size > 0);
    be_our_end(fds[0], kind);
    close(fds[1]);
}

static void subject(const uint8_t *data, size_t size)
{
    const unsigned char *at = data;
    X509 *cert = d2i_X509(NULL, &at, (long)size);
    char whole[2048], cut_off[8];
    const char *const itself[] = {whole, NULL};

    ERR_clear_error();
    if (!cert)
        return;
    subject_text(cert, whole, sizeof(whole));
    subject_text(cert, cut_off, sizeof(cut_off));
    must(strlen(whole) < sizeof(whole) && strlen(cut_off) < sizeof(cut_off));
    must(strncmp(whole, cut_off, strlen(cut_off)) == 0);
    subject_is_one_of(cert, allowed);
    if (strchr(whole, '=') && strlen(whole) < 1000)
        must(subject_is_one_of(cert, itself));
    X509_free(cert);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned kind = size > 0 ? data[0] : 0;

    if (size < 1)
        return 0;
    if ((kind & WHAT) == SUBJECT)
        subject(data + 1, size - 1);
    else
        connection((kind & WHAT) == CLIENT ? kind : kind & ~(unsigned)WHAT, data + 1, size - 1);
    return 0;
}

/* ---- Recording ------------------------------------------------------------------------------- */

/* A peer that uses OpenSSL on a thread of its own. */
struct recorded {
    int fd;
    unsigned kind;
    bool certified;
    struct buffer said;
};

/* Sends what the SSL object wrote, and records it. */
static void pass_on(struct recorded *r, BIO *out)
{
    char bytes[4096];
    int n;

    while ((n = BIO_read(out, bytes, sizeof(bytes))) > 0) {
        buffer_put(&r->said, bytes, (size_t)n);
        if (send(r->fd, bytes, (size_t)n, MSG_NOSIGNAL) < 0)
            return;
    }
}

static SSL_CTX *peer_context(const struct recorded *r)
{
    bool is_client = (r->kind & WHAT) == SERVER;
    SSL_CTX *ctx = SSL_CTX_new(is_client ? TLS_client_method() : TLS_server_method());
    const struct identity *own = is_client ? &client : &server;

    SSL_CTX_set_num_tickets(ctx, 1);
    if (r->kind & ONLY_TLS_1_2)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    if (!is_client || r->certified) {
        SSL_CTX_use_certificate(ctx, own->cert);
        SSL_CTX_use_PrivateKey(ctx, own->key);
    }
    if (!is_client && r->certified) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.cert);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return ctx;
}

static void *be_peer(void *arg)
{
    struct recorded *r = arg;
    SSL_CTX *ctx = peer_context(r);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char bytes[4096];
    ssize_t n = 1;

    random_state = 2;
    SSL_set_bio(ssl, in, out);
    if ((r->kind & WHAT) == SERVER)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    while (n > 0 && SSL_do_handshake(ssl) != 1) {
        pass_on(r, out);
        n = recv(r->fd, bytes, sizeof(bytes), 0);
        if (n > 0)
            BIO_write(in, bytes, (int)n);
    }
    if (SSL_is_init_finished(ssl)) {
        SSL_write(ssl, "\0\0\0\4\0\1\x11\x50\2\n", 10);
        SSL_shutdown(ssl);
    }
    pass_on(r, out);
    shutdown(r->fd, SHUT_WR);
    while (recv(r->fd, bytes, sizeof(bytes), 0) > 0)
        ;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return NULL;
}

static void write_input(const char *to, const char *name, const struct buffer *input)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", to, name);
    f = fopen(path, "w");
    must(f != NULL && fwrite(input->data, 1, input->len, f) == input->len);
    fclose(f);
}

/* Records one handshake and repeats it as an input. False: the result differs. */
static bool record(const char *to, unsigned kind, bool certified)
{
    struct recorded r = {.kind = kind, .certified = certified, .said = BUFFER_INIT};
    AUTO_BUFFER input = BUFFER_INIT;
    bool succeeded;
    char name[64];
    pthread_t thread;
    int fds[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    r.fd = fds[1];
    peer.live = true;
    must(pthread_create(&thread, NULL, be_peer, &r) == 0);
    be_our_end(fds[0], kind);
    pthread_join(thread, NULL);
    close(fds[1]);
    succeeded = shook_hands;
    buffer_put_u8(&input, (uint8_t)kind);
    buffer_put_u8(&input, 0);
    buffer_put(&input, r.said.data, r.said.len);
    buffer_free(&r.said);
    snprintf(name, sizeof(name), "handshake-%02x-%d", kind, certified);
    write_input(to, name, &input);
    LLVMFuzzerTestOneInput(input.data, input.len);
    return shook_hands == succeeded;
}

static void record_certificate(const char *to, const char *name, X509 *cert)
{
    AUTO_BUFFER input = BUFFER_INIT;
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);

    buffer_put_u8(&input, SUBJECT);
    buffer_put(&input, der, (size_t)n);
    OPENSSL_free(der);
    write_input(to, name, &input);
}

static void record_all(const char *to)
{
    unsigned kind, certified, all = 0, again = 0, round;

    mkdir(to, 0777);
    for (round = 0; round < 2; round++) { /* some values are random only in the first round */
        all = again = 0;
        for (kind = 0; kind < KINDS; kind++) {
            if (kind & SUBJECT)
                continue;
            for (certified = 0; certified < 2; certified++) {
                again += record(to, kind, certified);
                all++;
            }
        }
    }
    record_certificate(to, "certificate-server", server.cert);
    record_certificate(to, "certificate-client", client.cert);
    printf("fuzz tls: %u of %u recorded handshakes come to the same again\n", again, all);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *to = getenv("FUZZ_RECORD");

    (void)argc;
    (void)argv;
    make_world();
    if (!to)
        return 0;
    record_all(to);
    exit(0);
}
