/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The whole server: the extension, in an interpreter embedded in this program, serves on Unix
 * sockets, and clients send what the input contains.
 *
 * Input: see script.h. Bit 0 of the first byte selects the server (classic, or a service with a
 * policy), bit 1 makes the clients hang up while requests run. A step is sent after the server has
 * answered the previous one, or has sent a request, which the next step answers. A request that the
 * input does not answer gets a minimal answer.
 *
 * After each input the servers must work as before: they answer a new client, and no thread of an
 * old client is left. From time to time it also checks that no object and no memory is left.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <libdeflate.h>
#include <poll.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <time.h>

#include "script.h"
#include "server.h"

#ifndef FUZZ_PYTHON /* run-fuzz passes these paths */
#define FUZZ_PYTHON "python3"
#define FUZZ_SRCDIR "."
#endif

#define PATIENCE_MS 20000 /* after this time it is a hang */
#define STALL_MS    150   /* the wait for an answer, which a mutated input may never get */
#define OBJECTS     256   /* objects of the server that one client remembers */
#define FAVOURS                                                                                    \
    32 /* requests of the server that are answered although the input does not answer them */
#define CENSUS_EVERY 256 /* inputs */

PyMODINIT_FUNC PyInit__pystuck(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed);
const char *__asan_default_options(void);

/* The quarantine and the largest allocation are small, because clients may ask for large objects.
 * There are no alternate signal stacks, because a thread that Python ends keeps its own. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=32:quarantine_size_mb=16:"
           "detect_leaks=1:leak_check_at_exit=0:use_sigaltstack=0:detect_stack_use_after_return=0";
}

static char directory[] = "/tmp/pystuck-fuzz-XXXXXX";
static PyThreadState *main_state;
static PyObject *program; /* fuzz_server.py */
static long objects_at_start;
static atomic_bool armed; /* while set, only clients cause system calls */

/* Ends the program with a message. If the GIL is the cause of the hang, no stacks can be printed.
 * */
static _Noreturn void finding(const char *what)
{
    static const char stacks[] = "import faulthandler; faulthandler.dump_traceback()";
    PyGILState_STATE state;

    fprintf(stderr, "fuzz_server: %s\n", what);
    armed = false;
    state = PyGILState_Ensure();
    PyRun_SimpleString(stacks);
    PyGILState_Release(state);
    abort();
}

/* ---- Servers --------------------------------------------------------------------------------- */

static struct ps_server *servers[2];
static size_t server_count;

int __real_ps_server_start(struct ps_server **out, const struct sockaddr *address, socklen_t len,
                           const struct ps_server_options *options, struct rpyc_error *err);
int __wrap_ps_server_start(struct ps_server **out, const struct sockaddr *address, socklen_t len,
                           const struct ps_server_options *options, struct rpyc_error *err);

int __wrap_ps_server_start(struct ps_server **out, const struct sockaddr *address, socklen_t len,
                           const struct ps_server_options *options, struct rpyc_error *err)
{
    int result = __real_ps_server_start(out, address, len, options, err);

    must(result == 0 && server_count < 2);
    servers[server_count++] = *out;
    return 0;
}

/* Returns a loaded module. Clients see only the modules that fuzz_server.py made. */
PyObject *__real_PyImport_GetModule(PyObject *name);
PyObject *__wrap_PyImport_GetModule(PyObject *name);

PyObject *__wrap_PyImport_GetModule(PyObject *name)
{
    PyObject *modules, *module;

    if (!program)
        return __real_PyImport_GetModule(name);
    modules = PyObject_GetAttrString(program, "MODULES");
    must(modules);
    module = PyDict_GetItemWithError(modules, name);
    Py_XINCREF(module);
    Py_DECREF(modules);
    return module;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_until_deserted(void)
{
    uint64_t end = now_ms() + PATIENCE_MS;
    size_t i;

    for (i = 0; i < server_count; i++) {
        while (!ps_server_is_deserted(servers[i])) {
            if (now_ms() > end)
                finding("a client has hung up, and threads of it are left");
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        }
    }
}

static int connect_to(unsigned which)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u", directory, which);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        finding("it does not accept clients any more");
    return fd;
}

/* ---- A client -------------------------------------------------------------------------------- */

/* A request of the server that waits for its answer. */
struct asked {
    int64_t seq, handler;
    uint64_t sender;
};

struct client {
    int fd; /* -1: not connected */
    bool ended, stalled;
    struct frame_reader in;
    struct envelope heard; /* the server's envelope */
    struct step manner;    /* how the client sent its last message */
    uint8_t *objects[OBJECTS];
    size_t object_len[OBJECTS];
    size_t object_count;
    struct asked asked[64];
    size_t asked_count;
    size_t outstanding; /* its own requests without a reply */
    unsigned favours;
};

static void client_start(struct client *c, unsigned which)
{
    memset(c, 0, sizeof(*c));
    c->fd = connect_to(which);
    frame_reader_init(&c->in, (size_t)64 << 20);
}

static void client_end(struct client *c)
{
    size_t i;

    close(c->fd);
    for (i = 0; i < c->object_count; i++)
        free(c->objects[i]);
    frame_reader_free(&c->in);
    c->fd = -1;
}

static void send_bytes(struct client *c, const uint8_t *data, size_t len)
{
    ssize_t n;

    while (len > 0 && !c->ended) {
        n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN && poll(&(struct pollfd){c->fd, POLLOUT, 0}, 1, STALL_MS) > 0)
            continue;
        if (n <= 0) { /* the server hung up, or does not read while it sends */
            c->ended = true;
            return;
        }
        data += n;
        len -= (size_t)n;
    }
}

/* Attributes that lead from an object to everything in the process. */
static const char *const leading[] = {
    "__subclasses__", "__globals__", "__builtins__", "__self__",       "__loader__",    "__spec__",
    "__code__",       "tb_frame",    "gi_frame",     "gi_code",        "cr_frame",      "ag_frame",
    "f_back",         "f_globals",   "f_builtins",   "f_locals",       "cell_contents", "__pow__",
    "__rpow__",       "__ipow__",    "lshift__",     "serve_threaded",
};

static bool leads_anywhere(const struct buffer *b)
{
    size_t i;

    for (i = 0; i < sizeof(leading) / sizeof(*leading); i++) {
        if (b->len > 0 && memmem(b->data, b->len, leading[i], strlen(leading[i])))
            return true;
    }
    return false;
}

static void compress_into(struct buffer *out, const struct buffer *payload)
{
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(1);
    size_t room = libdeflate_zlib_compress_bound(z, payload->len);

    must(z && buffer_reserve(out, room));
    out->len = libdeflate_zlib_compress(z, payload->data, payload->len, out->data, room);
    libdeflate_free_compressor(z);
}

static void send_payload(struct client *c, const struct buffer *payload, uint8_t how, uint8_t end)
{
    AUTO_BUFFER compressed = BUFFER_INIT;
    AUTO_BUFFER out = BUFFER_INIT;
    const struct buffer *content = payload;

    if (payload->failed || leads_anywhere(payload))
        return;
    if (!(how & STEP_RAW) && how & STEP_COMPRESS && payload->len > 0) {
        compress_into(&compressed, payload);
        content = &compressed;
    }
    buffer_put_u32(&out, (uint32_t)content->len);
    buffer_put_u8(&out, how & STEP_RAW ? how : how & STEP_COMPRESS);
    buffer_put(&out, content->data, content->len);
    buffer_put_u8(&out, end);
    must(!out.failed);
    send_bytes(c, out.data, out.len);
}

/* ---- Listening ------------------------------------------------------------------------------- */

/* Reads the next message. 1: done; 0: none in time; -1: the end. A message of the server must be
 * readable. */
static int hear(struct client *c, struct message *m, int timeout_ms)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    size_t room;
    uint8_t *to;
    ssize_t n;
    int result;

    memset(m, 0, sizeof(*m));
    while ((result = frame_next(&c->in, &m->frame, &err)) == 0) {
        if (poll(&(struct pollfd){c->fd, POLLIN, 0}, 1, timeout_ms) <= 0)
            return 0;
        to = frame_room(&c->in, &room);
        must(to);
        n = recv(c->fd, to, room, 0);
        if (n <= 0)
            return -1;
        frame_received(&c->in, (size_t)n);
    }
    if (result < 0 && err.code != RPYC_ENOMEM)
        finding(err.text);
    if (result < 0)
        return -1;
    if (message_parse(m, &c->heard, &err) < 0)
        finding(err.text);
    return 1;
}

static void remember(struct client *c, const struct id_pack *pack)
{
    size_t i;

    for (i = 0; i < c->object_count; i++) {
        if (c->object_len[i] == pack->raw_len &&
            memcmp(c->objects[i], pack->raw, pack->raw_len) == 0)
            return;
    }
    if (c->object_count == OBJECTS)
        return;
    c->objects[i] = malloc(pack->raw_len);
    must(c->objects[i]);
    memcpy(c->objects[i], pack->raw, pack->raw_len);
    c->object_len[i] = pack->raw_len;
    c->object_count++;
}

/* Records the objects in a box. */
static void look_into(struct client *c, struct brine_reader *r)
{
    struct brine_item item;
    struct id_pack pack;
    const uint8_t *data;
    enum label label;
    size_t len, i;

    must(box_next(r, &label));
    if (label == LABEL_VALUE) {
        must(brine_skip(r, &data, &len));
    } else if (label == LABEL_TUPLE) {
        must(brine_next(r, &item) && item.type == BRINE_TUPLE);
        for (i = 0; i < item.count; i++)
            look_into(c, r);
    } else {
        must(id_pack_next(r, &pack));
        if (label == LABEL_REMOTE_REF)
            remember(c, &pack);
    }
}

/* Handles a message. True: it is a request. */
static bool take_in(struct client *c, struct message *m)
{
    int64_t handler;

    if (m->kind == MESSAGE_REQUEST) {
        must(message_handler(m, &handler, NULL) == 0);
        if (handler != HANDLE_CLOSE && c->asked_count < sizeof(c->asked) / sizeof(*c->asked))
            c->asked[c->asked_count++] = (struct asked){m->seq, handler, m->sender};
        if (handler != HANDLE_CLOSE)
            look_into(c, &m->body);
        return true;
    }
    if (m->kind == MESSAGE_REPLY)
        look_into(c, &m->body);
    if (c->outstanding > 0)
        c->outstanding--;
    return false;
}

/* Waits until a request of the client was answered, or the server sends a request. */
static void listen_to(struct client *c)
{
    struct message m;
    int result;

    if (c->ended || c->outstanding == 0)
        return;
    result = hear(c, &m, c->stalled ? 0 : STALL_MS);
    c->ended = result < 0;
    c->stalled = result == 0;
    if (result == 1) {
        take_in(c, &m);
        message_free(&m);
    }
}

/* ---- Speaking -------------------------------------------------------------------------------- */

static bool is_place(const struct node *node)
{
    return node->type == BRINE_TUPLE && node->count == 3 && node->items[0]->type == BRINE_STR &&
           node->items[0]->len == 1 && node->items[0]->data[0] == '@' &&
           node->items[1]->type == BRINE_INT;
}

/* Writes what a placeholder in the input stands for. */
static bool fill_in(void *arg, const struct step *step, const struct node *node, struct buffer *out)
{
    struct client *c = arg;
    int64_t n;
    size_t i;

    if (node == step_seq(step) && node->type == BRINE_INT && node->integer == -1 &&
        step_kind(step) != MESSAGE_REQUEST && c->asked_count > 0) {
        brine_put_int(out, c->asked[c->asked_count - 1].seq);
        return true;
    }
    if (!is_place(node) || c->object_count == 0)
        return false;
    n = node->items[1]->integer % (int64_t)c->object_count;
    i = (size_t)(n < 0 ? n + (int64_t)c->object_count : n);
    buffer_put(out, c->objects[i], c->object_len[i]);
    return true;
}

static void say(struct client *c, const struct step *step)
{
    AUTO_BUFFER payload = BUFFER_INIT;
    struct step filled = *step;
    int kind = step_kind(step);

    if (filled.bound && filled.threads.recipient == UINT64_MAX)
        filled.threads.recipient = c->asked_count ? c->asked[c->asked_count - 1].sender : 0;
    step_put(&filled, &payload, fill_in, c);
    send_payload(c, &payload, step->how, step->end);
    if (kind == MESSAGE_REQUEST)
        c->outstanding++;
    else if (kind && c->asked_count > 0)
        c->asked_count--;
    if (step->generation != RPYC_GENERATION_AUTO)
        c->manner = *step;
}

/* Answers the server's last request with a minimal reply. */
static void do_favour(struct client *c)
{
    const struct asked *asked = &c->asked[--c->asked_count];
    struct envelope envelope = {c->manner.generation, c->manner.bound};
    struct thread_pair threads = {c->manner.threads.sender, asked->sender};
    AUTO_BUFFER out = BUFFER_INIT;
    size_t start;

    if (++c->favours > FAVOURS || envelope.generation == RPYC_GENERATION_AUTO) {
        c->ended = true;
        return;
    }
    start = message_begin(&out, &envelope, MESSAGE_REPLY, asked->seq, &threads);
    box_put(&out, LABEL_VALUE);
    if (asked->handler == HANDLE_INSPECT) { /* says that the object is callable */
        brine_put_tuple(&out, 1);
        brine_put_tuple(&out, 2);
        brine_put_str(&out, "__call__", 8);
        brine_put_none(&out);
    } else if (asked->handler == HANDLE_HASH) {
        brine_put_int(&out, 5);
    } else {
        brine_put_none(&out);
    }
    must(frame_end(&out, start, false, NULL) == 0);
    send_bytes(c, out.data, out.len);
}

/* Answers the server's requests until the server has answered. */
static void do_favours(struct client *c, size_t outstanding)
{
    while (!c->ended && !c->stalled && (c->asked_count > 0 || c->outstanding > outstanding)) {
        if (c->asked_count > 0)
            do_favour(c);
        if (c->asked_count == 0 && c->outstanding > outstanding)
            listen_to(c);
    }
}

static void play_step(struct client *c, const struct step *step)
{
    bool is_request = step_kind(step) == MESSAGE_REQUEST;

    if (is_request && !(step->how & STEP_NESTED))
        do_favours(c, c->outstanding);
    say(c, step);
    if (!(step->how & STEP_NO_WAIT))
        listen_to(c);
}

static void play(const struct script *s)
{
    struct client clients[CONNECTIONS] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
    struct client *c = &clients[0];
    size_t i;

    for (i = 0; i < s->count; i++) {
        c = &clients[(s->steps[i].how & STEP_CONNECTION) / 2];
        if (c->fd < 0)
            client_start(c, s->head & 1);
        if (!c->ended)
            play_step(c, &s->steps[i]);
    }
    for (i = 0; i < CONNECTIONS; i++) {
        if (clients[i].fd < 0)
            continue;
        if (!(s->head & 2))
            do_favours(&clients[i], 0);
        if (&clients[i] == c)
            send_bytes(c, s->tail, s->tail_len);
        client_end(&clients[i]);
    }
}

/* ---- Judging --------------------------------------------------------------------------------- */

static void ask_plainly(struct client *c, enum handler handler, int64_t seq)
{
    struct envelope envelope = {RPYC_GENERATION_6, false};
    AUTO_BUFFER out = BUFFER_INIT;
    size_t start = message_begin(&out, &envelope, MESSAGE_REQUEST, seq, NULL);
    struct message m;

    brine_put_tuple(&out, 2);
    brine_put_int(&out, handler);
    box_put(&out, LABEL_VALUE);
    brine_put_tuple(&out, handler == HANDLE_PING);
    if (handler == HANDLE_PING)
        brine_put_str(&out, "x", 1);
    must(frame_end(&out, start, false, NULL) == 0);
    send_bytes(c, out.data, out.len);
    if (hear(c, &m, PATIENCE_MS) != 1)
        finding("a new client gets no answer");
    must(m.kind == MESSAGE_REPLY && m.seq == seq);
    look_into(c, &m.body);
    message_free(&m);
}

static void meet_new_client(unsigned which)
{
    struct client c;

    client_start(&c, which);
    ask_plainly(&c, HANDLE_PING, 0);
    ask_plainly(&c, HANDLE_GETROOT, 1);
    must(c.object_count == 1);
    client_end(&c);
}

static long call_program(const char *function)
{
    PyObject *result;
    long number = 0;

    armed = false;
    PyEval_RestoreThread(main_state);
    result = PyObject_CallMethod(program, function, NULL);
    if (!result) {
        PyErr_Print();
        abort();
    }
    if (result != Py_None)
        number = PyLong_AsLong(result);
    Py_DECREF(result);
    PyEval_SaveThread();
    armed = true;
    return number;
}

/* Checks that the objects of disconnected clients are freed, some of them later on another thread.
 * */
static void count_objects(void)
{
    uint64_t end = now_ms() + PATIENCE_MS;

    while (call_program("census") > objects_at_start) {
        if (now_ms() > end)
            finding("objects of clients that are gone are still there");
        poll(NULL, 0, 1);
    }
}

/* True if threads of this name exist as long as a server. */
static bool stays(const char *name)
{
    static const char *const names[] = {"pystuck-gil", "pystuck-log", "pystuck-spare"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* True if a native thread of the server serves a client, or ends a session. */
static bool is_for_client(const char *thread)
{
    char path[64], name[16] = "";
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", thread);
    file = fopen(path, "re");
    if (!file) /* the thread has ended meanwhile */
        return false;
    must(fgets(name, sizeof(name), file) || !name[0]);
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    return strncmp(name, "pystuck-", strlen("pystuck-")) == 0 && !stays(name);
}

static bool any_is_for_client(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    bool found = false;

    must(tasks);
    while (!found && (entry = readdir(tasks)))
        found = entry->d_name[0] != '.' && is_for_client(entry->d_name);
    closedir(tasks);
    return found;
}

/* A thread of its own may end a session, a second after its client disconnected. */
static void wait_for_threads(void)
{
    uint64_t end = now_ms() + PATIENCE_MS;

    while (any_is_for_client()) {
        if (now_ms() > end)
            finding("threads that were started for clients do not end");
        poll(NULL, 0, 1);
    }
}

/* Checks that all memory is referenced. LeakSanitizer takes memory that only an ending thread
 * refers to for a leak, so no thread may be ending. */
static void look_for_leaks(void)
{
    wait_for_threads();
    if (__lsan_do_recoverable_leak_check())
        finding("memory has leaked, by this input or one before");
}

static void at_exit(void)
{
    char command[64];

    wait_until_deserted();
    count_objects();
    look_for_leaks();
    armed = false;
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof(command), "%s/%d", directory, i);
        unlink(command);
    }
    rmdir(directory);
}

/* ---- The interpreter ------------------------------------------------------------------------- */

/* Refuses what Python asks of the system for a client. Code that formats tracebacks handles an
 * OSError. */
static int refuse(const char *event, PyObject *args, void *unused)
{
    static const char *const harmless[] = {
        "compile",
        "exec",
        "object.__getattr__",
        "object.__setattr__",
        "object.__delattr__",
        "builtins.id",
        "sys.unraisablehook",
        "sys._getframe",
        "time.sleep",
        "socket.__new__",
        "code.__new__",
    };
    size_t i;

    (void)args;
    (void)unused;
    if (!armed)
        return 0;
    for (i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
        if (strcmp(event, harmless[i]) == 0)
            return 0;
    }
    PyErr_Format(PyExc_PermissionError, "%s is not for clients", event);
    return -1;
}

static void check(PyStatus status)
{
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
}

/* Makes Python use malloc for each object, so that the sanitizer checks each. */
static void start_python(void)
{
    PyPreConfig before;
    PyConfig config;

    PyPreConfig_InitIsolatedConfig(&before);
    before.allocator = PYMEM_ALLOCATOR_MALLOC;
    check(Py_PreInitialize(&before));
    must(PySys_AddAuditHook(refuse, NULL) == 0);
    must(PyImport_AppendInittab("_pystuck", PyInit__pystuck) == 0);
    PyConfig_InitIsolatedConfig(&config);
    config.write_bytecode = 0;
    check(PyConfig_SetBytesString(&config, &config.program_name, FUZZ_PYTHON));
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

static void start_servers(void)
{
    PyObject *path = PySys_GetObject("path"), *result;
    static const char *const directories[] = {FUZZ_SRCDIR "/testsuite/fuzz",
                                              FUZZ_SRCDIR "/pystuck_ext"};
    size_t i;

    must(mkdtemp(directory));
    for (i = 0; i < 2; i++) {
        PyObject *each = PyUnicode_FromString(directories[i]);

        must(each && PyList_Insert(path, 0, each) == 0);
        Py_DECREF(each);
    }
    program = PyImport_ImportModule("fuzz_server");
    result = program ? PyObject_CallMethod(program, "start", "s", directory) : NULL;
    if (!result) {
        PyErr_Print();
        abort();
    }
    Py_DECREF(result);
    must(server_count == 2);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    start_python();
    start_servers();
    main_state = PyEval_SaveThread();
    meet_new_client(0);
    meet_new_client(1);
    wait_until_deserted();
    objects_at_start = call_program("census");
    atexit(at_exit);
    return 0;
}

/* ---- libFuzzer's entries --------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned long inputs;
    struct script script;

    if (script_read(&script, data, size)) {
        play(&script);
        wait_until_deserted();
        call_program("reset");
        meet_new_client(script.head & 1);
        wait_until_deserted();
    }
    script_free(&script);
    if (++inputs % CENSUS_EVERY == 0)
        count_objects();
    if (inputs % (CENSUS_EVERY * 16) == 0)
        look_for_leaks();
    return 0;
}

static size_t write_script(const struct script *s, uint8_t *to, size_t max_size)
{
    AUTO_BUFFER out = BUFFER_INIT;

    script_write(s, &out);
    if (out.failed || out.len > max_size)
        return 0;
    memcpy(to, out.data, out.len);
    return out.len;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct script script;
    size_t len = 0;
    uint8_t *copy;

    if (seed % 50 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    copy = malloc(size + 1); /* the script points into the copy; the original cannot be changed */
    must(copy);
    memcpy(copy, data, size);
    if (size == 0)
        copy[size++] = 0;
    script_read(&script, copy, size);
    script_mutate(&script, seed);
    len = write_script(&script, data, max_size);
    script_free(&script);
    free(copy);
    return len ? len : LLVMFuzzerMutate(data, size, max_size);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed)
{
    struct script one, other;
    size_t len = 0;

    bool one_is_whole = script_read(&one, a, a_size);
    bool other_is_whole = script_read(&other, b, b_size);

    if (one_is_whole && other_is_whole && other.count > 0) {
        script_cross(&one, &other, seed);
        len = write_script(&one, out, max_size);
    }
    script_free(&one);
    script_free(&other);
    return len;
}
