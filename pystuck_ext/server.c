/* SPDX-License-Identifier: BSD-3-Clause */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reserve.h"

#define OUT_OF_FDS_WAIT_MS 200  /* how long to wait for a free descriptor at first, ... */
#define OUT_OF_FDS_MOST_MS 1600 /* ... and the most that this wait becomes */
#define LOCK_TRIES         20
#define LOCK_WAIT_MS       50
#define NAMED_TRIES        1000
#define LISTENER_NAME      "pystuck:" /* client/connect/find.c looks for it */
#define THREAD_NAME_SIZE   16         /* the kernel's limit, with the null character */
#define GONE_SERVED        2 /* times max_clients: the limit that includes those that hung up */
#define BASE               36

struct ps_server {
    atomic_int refs; /* held by the Server object, the listener, each client */
    struct stream listener;
    struct sockaddr_storage address;
    socklen_t address_len;
    sigset_t caller_mask;
    ino_t file; /* the inode of the Unix socket's file; 0: none */
    struct ps_server_options options;
    uint64_t next_id; /* the number of the next client; only the listener uses it */
    pthread_t thread;
    atomic_bool named;   /* the thread has been named after its socket */
    unsigned fork_count; /* ps_fork_count() of the process that started the server */
    LIST_ENTRY(ps_server) entry;

    pthread_mutex_t lock; /* guards what follows, and the clients' streams */
    bool closed;
    size_t client_count; /* clients that have not hung up */
    size_t served_count; /* clients until ps_client_done(), also those that have hung up */
    LIST_HEAD(, ps_client) clients;
};

/* Every server of the process, for a forked child to close. Lock order: servers_lock, then the lock
 * of a server. */
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, ps_server) servers = LIST_HEAD_INITIALIZER(servers);
static atomic_uint fork_count;

/* ---- Fork ----------------------------------------------------------------------------------- */

/* Called before a fork. Takes all locks, so that the lists are consistent in the child. No thread
 * holds one of these locks for long, or while it waits for the GIL. */
static void before_fork(void)
{
    struct ps_server *s;

    pthread_mutex_lock(&servers_lock);
    LIST_FOREACH (s, &servers, entry)
        pthread_mutex_lock(&s->lock);
    ps_reserve_before_fork();
}

static void after_fork_in_parent(void)
{
    struct ps_server *s;

    ps_reserve_after_fork_in_parent();
    LIST_FOREACH (s, &servers, entry)
        pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&servers_lock);
}

/* Called in the child. Closes the sockets, which belong to the parent, and initializes the locks
 * again. Must be async-signal-safe. Frees nothing, since the request that has forked still runs in
 * the child. */
static void after_fork_in_child(void)
{
    struct ps_client *client;
    struct ps_server *s;

    atomic_fetch_add(&fork_count, 1);
    ps_reserve_after_fork_in_child(); /* before ps_reserve_close is called */
    LIST_FOREACH (s, &servers, entry) {
        stream_close(&s->listener);
        LIST_FOREACH (client, &s->clients, entry) {
            if (client->conn)
                conn_forked(client->conn);
            stream_close(&client->stream);
        }
        pthread_mutex_init(&s->lock, NULL);
    }
    LIST_INIT(&servers);
    pthread_mutex_init(&servers_lock, NULL);
}

static void install_fork_handlers(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void ps_fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install_fork_handlers);
}

unsigned ps_fork_count(void)
{
    return atomic_load(&fork_count);
}

const sigset_t *ps_server_caller_mask(const struct ps_server *server)
{
    return &server->caller_mask;
}

/* ---- Clients -------------------------------------------------------------------------------- */

static void *client_main(void *arg)
{
    struct ps_client *client = arg;

    pthread_setname_np(pthread_self(), "pystuck-client"); /* for ps and gdb */
    client->server->options.serve(client->server->options.context, client);
    return NULL;
}

/* Adds a client to the list. False if the server is closed or full. */
static bool enter_client(struct ps_server *s, struct ps_client *client)
{
    bool fits;

    pthread_mutex_lock(&s->lock);
    fits = !s->closed && s->client_count < s->options.max_clients &&
           s->served_count < GONE_SERVED * s->options.max_clients;
    if (fits) {
        LIST_INSERT_HEAD(&s->clients, client, entry);
        s->client_count++;
        s->served_count++;
        atomic_fetch_add(&s->refs, 1);
    }
    pthread_mutex_unlock(&s->lock);
    return fits;
}

void ps_client_set_conn(struct ps_client *client, struct conn *conn, void *session)
{
    struct ps_server *s = client->server;

    pthread_mutex_lock(&s->lock);
    client->conn = conn_ref(conn);
    client->session = session;
    if (client->hung_up) /* the client hung up before it had a session */
        s->options.hung_up(session);
    pthread_mutex_unlock(&s->lock);
}

/* Call with the lock held. Marks a client as hung up: it no longer counts towards max_clients,
 * although its requests may still run. */
static void note_hang_up(struct ps_client *client)
{
    if (!client->hung_up)
        client->server->client_count--;
    client->hung_up = true;
}

/* Takes the lock, because ps_server_close() and the fork handlers use the socket, too. */
void ps_client_turn_away(struct ps_client *client)
{
    pthread_mutex_lock(&client->server->lock);
    stream_shutdown(&client->stream); /* a forked child may still have the socket open */
    stream_close(&client->stream);
    pthread_mutex_unlock(&client->server->lock);
}

void ps_client_left(struct ps_client *client)
{
    struct ps_server *s = client->server;

    pthread_mutex_lock(&s->lock);
    note_hang_up(client);
    LIST_REMOVE(client, entry);
    pthread_mutex_unlock(&s->lock);
    conn_unref(client->conn);
}

void ps_client_done(struct ps_client *client)
{
    struct ps_server *s = client->server;

    pthread_mutex_lock(&s->lock);
    s->served_count--;
    pthread_mutex_unlock(&s->lock);
    free(client);
    ps_server_unref(s);
    ps_reserve_left();
}

static void tell(const struct ps_server *s, bool is_error, const struct ps_source *source,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void tell(const struct ps_server *s, bool is_error, const struct ps_source *source,
                 const char *format, ...)
{
    char text[PS_LOG_LINE_SIZE];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    s->options.tell(s->options.context, is_error, source, text);
}

/* True if a client is admitted only after the kernel has reported the client's user. */
static bool asks_who(const struct ps_server *s)
{
    return !s->options.anyone || s->address.ss_family == AF_UNIX;
}

/* Returns the source of a client (see log_limit.h) whose user is not known because asks_who() is
 * false. The source is the client's address. */
static struct ps_source source_of_address(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    getpeername(fd, (struct sockaddr *)&address, &len);
    return ps_source_of_address((struct sockaddr *)&address);
}

/* Decides whether a client is admitted, and sets the client's source. If it is not admitted, logs
 * the reason. */
static bool admit(const struct ps_server *s, struct ps_client *client)
{
    char why[PS_ADMIT_WHY_SIZE];
    struct ps_peer peer;
    bool admitted;

    if (!asks_who(s)) {
        client->source = source_of_address(client->stream.fd);
        return true;
    }
    ps_reserve_lend(PS_ADMIT_DESCRIPTORS);
    admitted = ps_admit(client->stream.fd, &s->options.allowed, &peer, why, sizeof(why));
    ps_reserve_take_back();
    if (admitted) {
        client->source = ps_source_of_user(peer.uid);
        return true;
    }
    if (peer.is_known)
        client->source = ps_source_of_user(peer.uid);
    tell(s, false, &client->source, "a client was refused: %s", why);
    return false;
}

/* Starts to serve an accepted socket, or closes it. The client is in the list before it is checked,
 * so that a forked child closes its socket. */
static void welcome(struct ps_server *s, int fd)
{
    struct ps_client *client;

    ps_reserve_came();
    client = calloc(1, sizeof(*client));
    if (!client) {
        ps_reserve_close(fd);
        ps_reserve_left();
        return;
    }
    client->server = s;
    client->id = s->next_id++;
    stream_open(&client->stream, fd);
    client->stream.close = ps_reserve_close;
    if (!enter_client(s, client)) {
        tell(s, false, &client->source,
             "a client was refused: too many clients (max_clients is %zu)", s->options.max_clients);
        stream_close(&client->stream);
        free(client);
        ps_reserve_left();
        return;
    }
    if (admit(s, client)) {
        if (ps_reserve_run(client_main, client) == 0)
            return;
        tell(s, true, &client->source, "a client was refused: no thread could be started");
    }
    ps_client_turn_away(client);
    ps_client_left(client);
    ps_client_done(client);
}

/* ---- Listening ------------------------------------------------------------------------------ */

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* True for errors of accept() that concern one connection and not the listener. */
static bool is_passing(int error)
{
    switch (error) {
    case EINTR:
    case EAGAIN: /* the client has already hung up */
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static bool is_closed(struct ps_server *s)
{
    bool closed;

    pthread_mutex_lock(&s->lock);
    closed = s->closed;
    pthread_mutex_unlock(&s->lock);
    return closed;
}

/* What the listener polls: its own socket for new clients, and the clients' sockets for hang-ups.
 */
struct watch {
    struct pollfd *fds; /* the first one is the listener */
    uint64_t *ids;      /* the clients' numbers; ids[0] is not used */
    size_t count, room;
};

#define WATCH_ROOM_LEAST 16

/* Makes room for the listener and for the clients. clients: the present number of clients, which
 * cannot grow meanwhile because only the calling thread adds clients. If memory is short, clients
 * without room are not watched for now. Returns false if there is no room for the listener. */
static bool make_room(struct watch *w, size_t clients)
{
    size_t room = w->room ? w->room : WATCH_ROOM_LEAST;
    struct pollfd *fds;
    uint64_t *ids;

    while (room < 1 + clients)
        room *= 2;
    if (room == w->room)
        return true;
    fds = realloc(w->fds, room * sizeof(*fds));
    if (fds)
        w->fds = fds;
    ids = realloc(w->ids, room * sizeof(*ids));
    if (ids)
        w->ids = ids;
    if (fds && ids)
        w->room = room;
    return w->room > 0;
}

static void free_watch(struct watch *w)
{
    free(w->fds);
    free(w->ids);
}

static void watch_all(struct ps_server *s, struct watch *w)
{
    struct ps_client *client;

    w->fds[0] = (struct pollfd){.fd = s->listener.fd, .events = POLLIN};
    w->count = 1;
    pthread_mutex_lock(&s->lock);
    LIST_FOREACH (client, &s->clients, entry) {
        if (client->hung_up || w->count == w->room)
            continue;
        w->fds[w->count] = (struct pollfd){.fd = client->stream.fd, .events = POLLRDHUP};
        w->ids[w->count] = client->id;
        w->count++;
    }
    pthread_mutex_unlock(&s->lock);
}

/* Call with the lock held. Returns the client whose number is `id`; NULL if it has left. */
static struct ps_client *find_client(struct ps_server *s, uint64_t id)
{
    struct ps_client *client;

    LIST_FOREACH (client, &s->clients, entry) {
        if (client->id == id)
            return client;
    }
    return NULL;
}

/* Calls hung_up() for each client that has hung up, since the client's session may be busy and not
 * notice. If the program has closed a client's descriptor, only stops watching the client. */
static void tell_sessions(struct ps_server *s, const struct watch *w)
{
    struct ps_client *client;
    size_t i;

    pthread_mutex_lock(&s->lock);
    for (i = 1; i < w->count; i++) {
        client = w->fds[i].revents ? find_client(s, w->ids[i]) : NULL;
        if (!client)
            continue;
        note_hang_up(client);
        if (client->session && !conn_lost_fd(client->conn))
            s->options.hung_up(client->session);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Names the listener's thread after its socket: "pystuck:" and the inode in base 36. An inode of 32
 * bits fits. `pystuck --list` finds the socket by this name, which /proc shows to every user. The
 * inode identifies the socket even after the program has closed it. The number of its descriptor
 * may by then belong to another file. */
static void name_listener(const struct ps_server *s)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char name[THREAD_NAME_SIZE] = LISTENER_NAME, reversed[sizeof(name)];
    size_t len = strlen(name), n = 0;
    ino_t left = s->listener.inode;

    for (; left > 0 && len + n + 1 < sizeof(name); left /= BASE)
        reversed[n++] = digits[left % BASE];
    while (left == 0 && n > 0)
        name[len++] = reversed[--n];
    pthread_setname_np(pthread_self(), name);
}

/* Waits until the listener's thread has its name, so that a program that is stopped right after
 * run_server() can be found. Waits for at most a second, because a debugger may let only the
 * calling thread run. */
static void wait_for_name(struct ps_server *s)
{
    for (int tries = 0; tries < NAMED_TRIES && !atomic_load(&s->named); tries++)
        poll(NULL, 0, 1);
}

/* Waits for `ms` milliseconds, or until the server's socket is shut down. Returns false if it is
 * shut down. Clients that wait for accept() do not end the wait. */
static bool wait_open(const struct ps_server *s, int ms)
{
    struct pollfd listener = {.fd = s->listener.fd};
    int result = poll(&listener, 1, ms);

    if (result < 0) /* RLIMIT_NOFILE is 0 */
        poll(NULL, 0, ms);
    return result <= 0;
}

/* Waits for *ms, because no descriptor is free. While no client is connected, doubles *ms for the
 * next wait: the queue of the socket may have only clients that have given up, which cannot be
 * distinguished from clients that are waiting. Returns false if the server's socket is shut down.
 */
static bool wait_for_descriptor(struct ps_server *s, int *ms)
{
    if (!wait_open(s, *ms))
        return false;
    if (ps_server_clients(s) > 0)
        *ms = OUT_OF_FDS_WAIT_MS;
    else if (*ms < OUT_OF_FDS_MOST_MS)
        *ms *= 2;
    return true;
}

/* Waits for clients and for the end of clients' streams. Returns false if there is no memory, or if
 * RLIMIT_NOFILE is lower than the number of sockets. */
static bool wait_for_events(struct ps_server *s, struct watch *w)
{
    if (!make_room(w, ps_server_clients(s)))
        return false;
    watch_all(s, w);
    return poll(w->fds, w->count, -1) >= 0;
}

/* Accepts clients until the server is closed, or the program has closed the socket. */
static void *listener_main(void *arg)
{
    struct ps_server *s = arg;
    struct watch w = {0};
    int fd, wait_ms = OUT_OF_FDS_WAIT_MS;

    name_listener(s);
    atomic_store(&s->named, true);
    while (!is_closed(s) && stream_is_ours(&s->listener)) {
        if (!wait_for_events(s, &w)) {
            if (!wait_open(s, OUT_OF_FDS_WAIT_MS))
                break;
            continue;
        }
        tell_sessions(s, &w);
        if (!w.fds[0].revents || !stream_is_ours(&s->listener))
            continue;
        fd = ps_reserve_accept(s->listener.fd);
        if (fd >= 0) {
            wait_ms = OUT_OF_FDS_WAIT_MS;
            welcome(s, fd);
        } else if (is_shortage(errno) ? !wait_for_descriptor(s, &wait_ms) : !is_passing(errno))
            break;
    }
    if (!is_closed(s))
        tell(s, true, NULL, "the server accepts no more clients: its socket was closed or failed");
    free_watch(&w);
    ps_server_unref(s);
    return NULL;
}

/* True if the address is the path of a file. */
static bool is_unix_path(const struct sockaddr_storage *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;

    return address->ss_family == AF_UNIX && un->sun_path[0] != '\0';
}

/* True if a process listens on a Unix socket, or if this is not known. */
static bool is_live(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool live;

    if (fd < 0)
        return true;
    live = connect(fd, address, len) == 0 || errno != ECONNREFUSED;
    close(fd);
    return live;
}

/* Locks the directory in which a Unix socket is being created. Without the lock, this server might
 * replace the socket of another server that has called bind() but not yet listen(). Such a socket
 * looks like one that a dead server has left. If another process keeps the lock for a second,
 * continues without it. Returns a descriptor for the caller to close; -1: the directory cannot be
 * opened. */
static int lock_directory(const char *path)
{
    char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    int fd, tries = LOCK_TRIES;

    snprintf(name, sizeof(name), "%s", path);
    fd = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK && tries-- > 0)
        poll(NULL, 0, LOCK_WAIT_MS);
    return fd;
}

/* Listens on an address; replaces a Unix socket that a dead server has left. */
static int replace_and_listen(const struct sockaddr *address, socklen_t len,
                              const struct ps_server_options *options, struct rpyc_error *err)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct stat st;
    int fd = stream_listen(address, len, &options->listening, &why);

    if (fd < 0 && why.sys_errno == EADDRINUSE && address->sa_family == AF_UNIX && un->sun_path[0] &&
        lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && !is_live(address, len) &&
        unlink(un->sun_path) == 0)
        fd = stream_listen(address, len, &options->listening, &why);
    if (fd < 0)
        return error_system(err, why.sys_errno, "cannot listen");
    return fd;
}

static int listen_on(const struct sockaddr *address, socklen_t len,
                     const struct ps_server_options *options, struct rpyc_error *err)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    bool is_file = address->sa_family == AF_UNIX && un->sun_path[0];
    int lock = is_file ? lock_directory(un->sun_path) : -1;
    int fd = replace_and_listen(address, len, options, err);

    if (lock >= 0)
        close(lock);
    return fd;
}

/* Returns the inode of the file at the path of the Unix socket; 0: there is no socket. */
static ino_t socket_file(const struct ps_server *s)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&s->address;
    struct stat st;

    if (!is_unix_path(&s->address) || lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return 0;
    return st.st_ino;
}

static struct ps_server *server_new(int fd, const struct ps_server_options *options)
{
    struct ps_server *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    atomic_init(&s->refs, 2); /* for the caller and the listener */
    stream_open(&s->listener, fd);
    s->address_len = sizeof(s->address);
    getsockname(fd, (struct sockaddr *)&s->address, &s->address_len);
    s->file = socket_file(s);
    pthread_sigmask(SIG_SETMASK, NULL, &s->caller_mask);
    s->options = *options;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); /* so that accept() never waits */
    s->fork_count = ps_fork_count();
    pthread_mutex_init(&s->lock, NULL);
    LIST_INIT(&s->clients);
    return s;
}

static void forget_server(struct ps_server *s)
{
    pthread_mutex_lock(&servers_lock);
    LIST_REMOVE(s, entry);
    pthread_mutex_unlock(&servers_lock);
}

/* Removes the file of the Unix socket, unless another file is in its place. */
static void remove_socket_file(const struct ps_server *s)
{
    if (s->file != 0 && socket_file(s) == s->file)
        unlink(((const struct sockaddr_un *)&s->address)->sun_path);
}

int ps_server_start(struct ps_server **out, const struct sockaddr *address, socklen_t len,
                    const struct ps_server_options *options, struct rpyc_error *err)
{
    struct ps_server *s;
    int fd, result;

    ps_fork_watch();
    fd = listen_on(address, len, options, err);
    if (fd < 0)
        return -1;
    s = server_new(fd, options);
    if (!s) {
        close(fd);
        return error_nomem(err);
    }
    pthread_mutex_lock(&servers_lock);
    LIST_INSERT_HEAD(&servers, s, entry);
    pthread_mutex_unlock(&servers_lock);
    result = ps_start_thread(&s->thread, listener_main, s);
    if (result != 0) {
        forget_server(s);
        close(fd);
        remove_socket_file(s);
        free(s);
        return error_system(err, result, "cannot start a thread");
    }
    ps_reserve_begin();
    wait_for_name(s);
    *out = s;
    return 0;
}

/* Ends the listener's thread, closes its socket and removes the file of a Unix socket. The file is
 * removed first: once no process listens, another process may put its own socket there. If the
 * program has closed the descriptor (os.closerange), the thread still waits for clients on the
 * socket. In that case, this function connects to the socket, which wakes the thread up, and does
 * not wait until the thread has ended.
 */
static void stop_listener(struct ps_server *s)
{
    int fd;

    if (stream_is_ours(&s->listener)) {
        remove_socket_file(s);
        stream_shutdown(&s->listener);
        pthread_join(s->thread, NULL);
        stream_close(&s->listener);
        return;
    }
    pthread_detach(s->thread);
    fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) { /* else the thread waits until a client connects */
        (void)!connect(fd, (const struct sockaddr *)&s->address, s->address_len);
        close(fd);
    }
    remove_socket_file(s);
}

/* Call with the lock held. Ends a client's connection and tells its session, which may be busy. The
 * listener no longer watches the client. */
static void hang_up(struct ps_client *client)
{
    if (client->conn)
        conn_shutdown(client->conn); /* checks whether the socket is still open */
    else
        stream_shutdown(&client->stream);
    note_hang_up(client);
    if (client->session)
        client->server->options.hung_up(client->session);
}

void ps_server_close(struct ps_server *s)
{
    struct ps_client *client;
    bool was_closed;

    if (s->fork_count != ps_fork_count())
        return;
    pthread_mutex_lock(&s->lock);
    was_closed = s->closed;
    s->closed = true;
    LIST_FOREACH (client, &s->clients, entry)
        hang_up(client);
    pthread_mutex_unlock(&s->lock);
    if (was_closed)
        return;
    stop_listener(s);
    forget_server(s);
    ps_reserve_end();
}

/* Returns a new reference to a server that is not closed; NULL: there is none. */
static struct ps_server *any_open_server(void)
{
    struct ps_server *s;

    pthread_mutex_lock(&servers_lock);
    LIST_FOREACH (s, &servers, entry) {
        if (!is_closed(s)) {
            atomic_fetch_add(&s->refs, 1);
            break;
        }
    }
    pthread_mutex_unlock(&servers_lock);
    return s;
}

void ps_server_close_all(void)
{
    struct ps_server *s;

    while ((s = any_open_server())) {
        ps_server_close(s);
        ps_server_unref(s);
    }
}

void ps_server_unref(struct ps_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

socklen_t ps_server_address(const struct ps_server *s, struct sockaddr_storage *address)
{
    *address = s->address;
    return s->address_len;
}

bool ps_server_is_closed(struct ps_server *s)
{
    return s->fork_count != ps_fork_count() ? s->closed : is_closed(s);
}

bool ps_server_is_deserted(struct ps_server *s)
{
    bool deserted;

    pthread_mutex_lock(&s->lock);
    deserted = LIST_EMPTY(&s->clients);
    pthread_mutex_unlock(&s->lock);
    return deserted;
}

size_t ps_server_clients(struct ps_server *s)
{
    size_t n;

    if (s->fork_count != ps_fork_count())
        return 0; /* the clients belong to the parent */
    pthread_mutex_lock(&s->lock);
    n = s->client_count;
    pthread_mutex_unlock(&s->lock);
    return n;
}
