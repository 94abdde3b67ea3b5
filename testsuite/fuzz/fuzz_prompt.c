/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pystuck(1) with a malicious server. Tests the whole client except the terminal, which is
 * simulated here, and the search for servers.
 *
 * Input: two bytes, then frames. Bit 0 of the first byte is the generation of rpyc (6, or 5); the
 * second byte selects what the user does: see `sessions`. Each request of the client is answered
 * with the next frames, up to a reply or an exception, whose seq is replaced by that of the
 * request; a seq of 100 or more is not replaced, and that frame answers nothing. DELs are not
 * answered, unless bit 1 of the first byte is set, like in recorded inputs. After the last
 * frame the server hangs up, so nothing here waits. From the first invalid frame on, the rest is
 * sent unchanged. Fourteen
 * '@' and a digit stand for the id of an object of the client, in the order in which the objects
 * were shown to the server.
 *
 * Besides crashes it finds output with control characters that a terminal would execute. Set
 * FUZZ_SHOW in the environment to print the output.
 */
#include "fuzz.h"

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "prompt/complete.h"
#include "prompt/editor.h"
#include "prompt/keyboard.h"
#include "prompt/terminal.h"

int pystuck_main(int argc, char **argv);
#define main pystuck_main
#include "main.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

/* A sequence number that no session reaches. */
#define FIRST_STRANGE_SEQ 100

/* ---- The server ------------------------------------------------------------------------------ */

static struct {
    struct envelope env;
    struct frame_reader said;  /* the rest of the input */
    struct frame_reader heard; /* the unread rest of what the client sent */
    int fd;                    /* the server's end of the connection, or -1 */
    int client_fd;             /* the client's end; hear() gets what is sent to it */
    bool answers_dels;
    struct shown shown;
} server = {.fd = -1, .client_fd = -1};

static void say(const uint8_t *bytes, size_t len)
{
    (void)!send(server.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends the rest of the input and hangs up. */
static void say_rest(void)
{
    if (server.fd < 0)
        return;
    say(server.said.in.data + server.said.head, server.said.in.len - server.said.head);
    server.said.head = server.said.in.len;
    shutdown(server.fd, SHUT_WR);
}

/* Sends a message with a different sequence number. */
static void say_message(const struct message *m, int64_t seq)
{
    AUTO_BUFFER out = BUFFER_INIT;
    size_t start = message_begin(&out, &server.env, m->kind, seq, NULL);

    buffer_put(&out, m->body.pos, (size_t)(m->body.end - m->body.pos));
    shown_put(&server.shown, &out);
    if (frame_end(&out, start, false, NULL) == 0)
        say(out.data, out.len);
}

/* Sends the next frame. False: it answers a request, or it was the last one. */
static bool say_next(int64_t seq)
{
    struct envelope env = server.env;
    struct message m = {0};
    size_t head = server.said.head;
    bool is_answer;

    if (frame_next(&server.said, &m.frame, NULL) <= 0 || message_parse(&m, &env, NULL) < 0) {
        server.said.head = head;
        message_free(&m);
        say_rest();
        return false;
    }
    is_answer = m.kind != MESSAGE_REQUEST && m.seq >= 0 && m.seq < FIRST_STRANGE_SEQ;
    say_message(&m, is_answer ? seq : m.seq);
    message_free(&m);
    return !is_answer;
}

static void answer(struct message *m)
{
    int64_t handler = 0;

    if (message_handler(m, &handler, NULL) < 0 || handler == HANDLE_CLOSE ||
        (handler == HANDLE_DEL && !server.answers_dels))
        return;
    while (say_next(m->seq))
        ;
}

/* Reads what the client sends and answers it at once. */
static void hear(const void *bytes, size_t len)
{
    struct envelope env = server.env;
    struct message m = {0};
    uint8_t *room;
    size_t n;

    while (len > 0) {
        room = frame_room(&server.heard, &n);
        must(room);
        n = n < len ? n : len;
        memcpy(room, bytes, n);
        frame_received(&server.heard, n);
        bytes = (const char *)bytes + n;
        len -= n;
    }
    while (frame_next(&server.heard, &m.frame, NULL) > 0) {
        must(message_parse(&m, &env, NULL) == 0);
        shown_note(&server.shown, m.frame.data, m.frame.len);
        if (m.kind == MESSAGE_REQUEST)
            answer(&m);
        message_free(&m);
    }
}

static void hang_up(void)
{
    if (server.fd >= 0)
        close(server.fd);
    frame_reader_free(&server.heard);
    frame_reader_init(&server.heard, 0);
    server.fd = server.client_fd = -1;
}

static int accept_client(void)
{
    int room = 4 * 1024 * 1024;
    int fds[2];

    hang_up();
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    server.fd = fds[1];
    return fds[0];
}

/* ---- In place of functions of the client and of the C library: see run-fuzz ------------------ */

ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
int __wrap_dial_server(rpyc_conn **out, const struct address *address,
                       const struct rpyc_options *how, struct rpyc_error *err);
int __wrap_dial_socket(const struct address *address, int timeout_ms);
void __wrap_find_all(struct servers *out);
void __wrap_find_likely(struct servers *out);
int __wrap_isatty(int fd);

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    if (fd != server.client_fd || fd < 0)
        return __real_send(fd, bytes, len, flags);
    hear(bytes, len);
    return (ssize_t)len;
}

int __wrap_dial_server(rpyc_conn **out, const struct address *address,
                       const struct rpyc_options *how, struct rpyc_error *err)
{
    struct rpyc_options options = *how;

    (void)address;
    options.generation = server.env.generation;
    options.max_frame = 1 << 20;
    server.client_fd = accept_client();
    return rpyc_connect_fd(out, server.client_fd, &options, err);
}

/* Serves the probe; any answer is valid for it. */
int __wrap_dial_socket(const struct address *address, int timeout_ms)
{
    int fd = accept_client();

    (void)address;
    (void)timeout_ms;
    say_rest();
    return fd;
}

void __wrap_find_all(struct servers *out)
{
    *out = (struct servers){0};
}

void __wrap_find_likely(struct servers *out)
{
    __wrap_find_all(out);
}

/* Checks that only plain text reaches the terminal. */
int __wrap_isatty(int fd)
{
    (void)fd;
    return 1;
}

/* ---- The user -------------------------------------------------------------------------------- */

/* What is typed at the prompt. Some lines have a special meaning. */
#define TAB       "\t" /* at the end of a line: asks for completion */
#define INTERRUPT "^C" /* pressed while the next line runs */
#define IDLE      ""   /* the server sends something without a request */

static const struct session_of_user {
    const char *typed[24]; /* NULL: no prompt */
    const char *code[4];   /* after -c */
    bool no_execute, json, stacks;
} sessions[] = {
    {.typed = {"1 + 1", "modules['os'].getcwd()", "def f():", "  pass", "", "x = 1", "print(x)"},
     .stacks = true},
    {.typed = {"modules.os", "_.path.join('a', 'b')", "[1, _, {'a': (2, ...)}]", "In[0]", "len(_)",
               "modules['sys'].path[0:2]", "'abc'.upper()", "del modules.os.x"}},
    {.typed = {"modules." TAB, "x" TAB, "x['" TAB, "%ti" TAB, "%time x." TAB, "f(" TAB,
               "modules.os.path" TAB}},
    {.typed = {"modules?", "f??", "%who", "%thread", "%thread 1", "%frame 0", "%up", "%locals",
               "%time x", "%eval y", "%down", "%threads"}},
    {.typed = {"input()", IDLE, "x.y", IDLE, IDLE, "%reconnect", "x", IDLE}},
    {.typed = {INTERRUPT, "while True: pass", "1", INTERRUPT, "f(x)", "1", INTERRUPT, "x" TAB,
               "y"}},
    {.typed = {"x = modules['os']", "x.environ['a'] = [1, 2]", "x.sep", "import a.b",
               "import c as d", "_0", "del x", "for x in y: pass", "modules['sys'].path", "{1: 2}",
               "(1,)"},
     .no_execute = true,
     .stacks = true},
    {.typed = {"modules." TAB, "modules['o" TAB, "x" TAB, "modules.os.pa" TAB, "root." TAB,
               "modules.os.environ['A']", "_." TAB, INTERRUPT, "x.y()", "1"},
     .no_execute = true},
    {.code = {"x", "f(1)", "print(1)"}},
    {.code = {"modules['os'].getpid()", "x.y", "modules.sys"}, .no_execute = true},
    {.code = {"import sys; sys.stdin.read()"}, .stacks = true},
    {.json = true},
    {.stacks = true},
    {.no_execute = true, .stacks = true},
};
#define SESSIONS (sizeof(sessions) / sizeof(*sessions))

struct editor {
    struct editor_watch watch;
    editor_complete_fn complete;
    void *complete_arg;
};

static struct editor editor;
static const char *const *typed; /* the next line to type */

struct editor *editor_open(const struct editor_watch *watch, const char **why)
{
    *why = NULL;
    editor = (struct editor){.watch = *watch};
    return &editor;
}

void editor_close(struct editor *e)
{
    must(e == &editor || !e);
}

void editor_complete_by(struct editor *e, editor_complete_fn complete, void *arg)
{
    e->complete = complete;
    e->complete_arg = arg;
}

void editor_remember(struct editor *e, const char *cell)
{
    must(e && cell);
}

void editor_leave_line(struct editor *e)
{
    must(e);
}

void editor_go_below(struct editor *e)
{
    must(e);
}

/* The session's standard input is the keyboard; there are no terminal modes. */

ssize_t keyboard_line(char **line)
{
    size_t size = 0;
    const ssize_t len = getline(line, &size, stdin);

    return len < 0 ? 0 : len;
}

void keyboard_drain(void)
{
}

void keyboard_interrupt(void)
{
}

void terminal_run(void)
{
}

bool terminal_is_running(void)
{
    return false;
}

void terminal_type(void)
{
}

void terminal_lend(bool is_lent)
{
    (void)is_lent;
}

/* Handles what the server sends while nothing is typed. */
static void idle(struct editor *e)
{
    struct pollfd fd = {.fd = e->watch.fd(e->watch.arg), .events = POLLIN};

    if (fd.fd < 0)
        return;
    say_next(FIRST_STRANGE_SEQ);
    if (poll(&fd, 1, 0) > 0)
        e->watch.ready(e->watch.arg);
}

/* Checks that a candidate can be shown, and typed for the user. */
static void must_be_harmless(const char *text, size_t len, bool in_a_line)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + len;

    must(brine_utf8(p, len));
    for (; p < end; p++) {
        must(*p != 0x7f && (*p >= 0x20 || (!in_a_line && (*p == '\n' || *p == '\t'))));
        if (end - p < 2)
            continue;
        must(!(p[0] == 0xc2 && p[1] < 0xa0) && !(p[0] == 0xd8 && p[1] == 0x9c));
        if (end - p < 3 || p[0] != 0xe2)
            continue;
        must(p[1] != 0x80 || (p[2] != 0x8e && p[2] != 0x8f && (p[2] < 0xa8 || p[2] > 0xae)));
        must(p[1] != 0x81 || p[2] < 0xa6 || p[2] > 0xa9);
    }
}

static void complete(struct editor *e, const char *line)
{
    char *before = strndup(line, strlen(line) - 1);
    char *more = e->complete(e->complete_arg, before, "");

    if (more)
        must_be_harmless(more, strlen(more), true);
    free(more);
    free(before);
}

enum editor_result editor_read(struct editor *e, const char *prompt, char **line)
{
    must(strlen(prompt) > 0);
    for (; *typed; typed++) {
        if (strcmp(*typed, INTERRUPT) == 0) {
            raise(SIGINT);
        } else if (strcmp(*typed, IDLE) == 0) {
            idle(e);
        } else if (strchr(*typed, '\t')) {
            complete(e, *typed);
        } else {
            *line = strdup(*typed++);
            return EDITOR_LINE;
        }
    }
    return EDITOR_END;
}

/* ---- A session ------------------------------------------------------------------------------- */

/* Replacements for the standard streams. */
struct streams {
    FILE *in, *out, *err;
    char *text[2];
    size_t len[2];
};

static void swap_streams(struct streams *s)
{
    struct streams before = {.in = stdin, .out = stdout, .err = stderr};

    stdin = s->in;
    stdout = s->out;
    stderr = s->err;
    s->in = before.in;
    s->out = before.out;
    s->err = before.err;
}

static int run_session(const struct session_of_user *session)
{
    const char *code[sizeof(session->code) / sizeof(*session->code)];
    struct rpyc_envelope found = {0};
    struct options options = {
        .prompt = session->typed[0] != NULL,
        .execute = !session->no_execute,
        .greenlets = true,
        .target = {.path = "@nowhere"},
        .somewhere = true,
        .format = session->json ? FORMAT_JSON : FORMAT_TEXT,
        .stacks = session->stacks ? CHOICE_YES
                  : session->json ? CHOICE_DEFAULT
                                  : CHOICE_NO,
        .code = code,
        .found = &found,
    };

    memcpy(code, session->code, sizeof(code));
    while (options.code_count < sizeof(code) / sizeof(*code) && code[options.code_count])
        options.code_count++;
    typed = session->typed;
    return run(&options);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int nothing = open("/dev/null", O_RDONLY);

    (void)argc;
    (void)argv;
    must(nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0);
    must(setlocale(LC_CTYPE, "C.UTF-8"));
    color_choose(CHOICE_NO);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answers[] = "typed\n";
    struct streams s = {0};
    int status;

    if (size < 3)
        return 0;
    server.env =
        (struct envelope){.generation = data[0] & 1 ? RPYC_GENERATION_5 : RPYC_GENERATION_6};
    server.answers_dels = data[0] & 2;
    server.shown = (struct shown){0};
    frame_reader_init(&server.said, 1 << 20);
    frame_reader_init(&server.heard, 0);
    buffer_put(&server.said.in, data + 2, size - 2);
    s.in = fmemopen(answers, sizeof(answers) - 1, "r");
    s.out = open_memstream(&s.text[0], &s.len[0]);
    s.err = open_memstream(&s.text[1], &s.len[1]);
    must(s.in && s.out && s.err);

    swap_streams(&s);
    status = run_session(&sessions[data[1] % SESSIONS]);
    swap_streams(&s);

    must(status == EXIT_SUCCESS || status == EXIT_FAILURE || status == EXIT_NO_SERVER ||
         status == 128 + SIGINT);
    fclose(s.in);
    fclose(s.out);
    fclose(s.err);
    must_be_harmless(s.text[0], s.len[0], false);
    must_be_harmless(s.text[1], s.len[1], false);
    if (getenv("FUZZ_SHOW"))
        printf("status %d\nstdout:\n%s\nstderr:\n%s\n", status, s.text[0], s.text[1]);
    free(s.text[0]);
    free(s.text[1]);
    hang_up();
    frame_reader_free(&server.said);
    return 0;
}
