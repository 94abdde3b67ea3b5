/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"
#include "user.h"

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_PORT "6666"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The keys of options that have only a long name. These keys are larger than all characters. */
enum {
    KEY_HOST = 256,
    KEY_PORT,
    KEY_UNIX_SOCKET,
    KEY_PID,
    KEY_SUBPROCESSES,
    KEY_LIST,
    KEY_CORE,
    KEY_EXE,
    KEY_STACKS,
    KEY_NO_STACKS,
    KEY_FORMAT,
    KEY_JSON,
    KEY_FULL,
    KEY_LOCALS,
    KEY_CHECK,
    KEY_WATCH,
    KEY_NO_GREENLETS,
    KEY_NO_PROMPT,
    KEY_NO_EXEC,
    KEY_COLOR,
    KEY_TIMEOUT,
    KEY_SERVER_USER,
    KEY_RPYC,
    KEY_SSL,
    KEY_SSL_CA,
    KEY_SSL_CERT,
    KEY_SSL_KEY,
    KEY_SSL_NAME,
    KEY_SSL_NO_VERIFY,
    KEY_VERSION
};

/* All options. next_option() makes the table for getopt_long() from this table, and options_help()
 * prints the help from it. */
static const struct {
    const char *name;
    const char *argument; /* the argument's name in the help; NULL: no argument */
    int key;              /* a letter or a KEY_ constant */
    const char *help;
} known[] = {
    {"help", NULL, 'h', "show this text and exit"},
    {"version", NULL, KEY_VERSION, "show the version and exit"},
    {"code", "CODE", 'c', "run CODE in the debuggee; may be repeated"},
    {"stacks", NULL, KEY_STACKS, "print the stacks, even with -c or a script"},
    {"no-stacks", NULL, KEY_NO_STACKS, "do not print the stacks"},
    {"format", "FORMAT", KEY_FORMAT, "print the stacks as text, plain (no colours) or json"},
    {"json", NULL, KEY_JSON, "the same as --format json"},
    {"full", NULL, KEY_FULL, "print every stack in full, even if several are equal"},
    {"locals", NULL, KEY_LOCALS, "print local variables, which may contain secrets"},
    {"check", NULL, KEY_CHECK, "open no prompt; exit with 3 if there is a deadlock"},
    {"watch", "SECONDS", KEY_WATCH, "print the stacks every SECONDS; mark unchanged ones"},
    {"exclude-greenlets", NULL, KEY_NO_GREENLETS, "do not print the stacks of greenlets"},
    {"no-ipython", NULL, KEY_NO_PROMPT, "open no prompt and ignore standard input"},
    {"no-repl", NULL, KEY_NO_PROMPT, "the same as --no-ipython"},
    {"no-exec", NULL, KEY_NO_EXEC, "run no code; evaluate only chains like a.b[0].c(1)"},
    {"color", "WHEN", KEY_COLOR, "use colours: auto (on terminals), always or never"},
    {"timeout", "SECONDS", KEY_TIMEOUT, "wait at most this long for each answer of the debuggee"},
    {"host", "HOST", KEY_HOST, "connect to this host name or address"},
    {"port", "PORT", KEY_PORT, "connect to this port of --host or TARGET"},
    {"unix-socket", "PATH", KEY_UNIX_SOCKET, "connect to unix:PATH (@NAME: an abstract socket)"},
    {"pid", "PID", KEY_PID, "show this process, also if it has no server"},
    {"subprocesses", NULL, KEY_SUBPROCESSES, "show the child processes of --pid as well"},
    {"list", NULL, KEY_LIST, "list the processes of this machine that have a server"},
    {"core", "FILE", KEY_CORE, "print the stacks in a core file"},
    {"exe", "FILE", KEY_EXE, "read the core file's executable or libpython from FILE"},
    {"server-user", "USER", KEY_SERVER_USER, "accept only servers of USER (any: of all users)"},
    {"rpyc", "VERSION", KEY_RPYC, "use the protocol of rpyc 5 or 6; default: detect it"},
    {"ssl", NULL, KEY_SSL, "use TLS; each of the options below implies --ssl"},
    {"ssl-ca", "FILE", KEY_SSL_CA, "trust only servers whose CA is in FILE (PEM)"},
    {"ssl-cert", "FILE", KEY_SSL_CERT, "show this certificate to the server (PEM)"},
    {"ssl-key", "FILE", KEY_SSL_KEY, "read the key from FILE, not from --ssl-cert's file"},
    {"ssl-name", "NAME", KEY_SSL_NAME, "expect a certificate for NAME, not for the host"},
    {"ssl-no-verify", NULL, KEY_SSL_NO_VERIFY, "accept any certificate"},
};

static const char usage[] =
    "usage: pystuck [-h] [--no-stacks] [--no-ipython] [TARGET | HOST PORT]\n"
    "       pystuck [-h] [--no-stacks] [--no-ipython] --pid PID\n"
    "       pystuck [--json] --pid PID --subprocesses\n"
    "       pystuck --ssl-ca FILE [--ssl-cert FILE] [--ssl-key FILE] [TARGET]\n"
    "       pystuck --list\n"
    "       pystuck --check [TARGET]\n"
    "       pystuck --watch SECONDS [--json] [TARGET]\n"
    "       pystuck --core FILE [--exe FILE]... [--json]\n"
    "       pystuck [-c CODE]... [--stacks] [TARGET] [< script.py]\n"
    "       pystuck --json [--exclude-greenlets] [TARGET]\n";

static const char explanation[] =
    "Shows where a running Python program is stuck.\n"
    "\n"
    "The program, called the debuggee, must have run this line, best at its start:\n"
    "\n"
    "    import pystuck; pystuck.run_server()\n"
    "\n"
    "Run pystuck from a shell while the debuggee is stuck. It prints the stack of\n"
    "each thread, the innermost call last. Then it opens a prompt from which you can\n"
    "reach every module and variable of the debuggee.\n"
    "\n"
    "With -c, or with a script on standard input, pystuck runs this code in the\n"
    "debuggee and prints its output and the values of its expressions. The code has\n"
    "a namespace of its own, where 'modules' holds the debuggee's modules:\n"
    "\n"
    "    pystuck -c \"modules['__main__'].queue.qsize()\"\n"
    "\n"
    "Without a server, pystuck opens no prompt, but can print the stacks.\n"
    "pystuck --pid PID reads them from the memory of a process and does not stop the\n"
    "process. pystuck --core FILE reads them from a core file.\n";

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints on stderr what is wrong with the command line. */
static void wrong(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fputs("pystuck: ", stderr);
    text_print(stderr, line, strlen(line));
    fputc('\n', stderr);
}

/* Returns the key of the next option as getopt_long() does: -1 at the end, '?' after a mistake. */
static int next_option(int argc, char **argv)
{
    struct option table[COUNT(known) + 1] = {{0}};

    for (size_t i = 0; i < COUNT(known); i++)
        table[i] = (struct option){
            known[i].name, known[i].argument ? required_argument : no_argument, NULL, known[i].key};
    return getopt_long(argc, argv, "hc:", table, NULL);
}

/* Parses a process ID. 0: invalid. */
static int pid_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number = strtoul(text, NULL, 10); /* ULONG_MAX: too large */

    return digits > 0 && text[digits] == '\0' && number <= INT_MAX ? (int)number : 0;
}

static int take_format(struct options *out, const char *name)
{
    static const char *const names[] = {
        [FORMAT_TEXT] = "text", [FORMAT_PLAIN] = "plain", [FORMAT_JSON] = "json"};

    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            out->format = (enum stacks_format)i;
            return 0;
        }
    }
    wrong("invalid format '%s': expected text, plain or json", name);
    return -1;
}

/* Stores an option of TLS. Returns false if key is not such an option. */
static bool take_tls_option(struct options *out, int key, const char *argument)
{
    switch (key) {
    case KEY_SSL:
        break;
    case KEY_SSL_CA:
        out->tls.ca_file = argument;
        break;
    case KEY_SSL_CERT:
        out->tls.cert_file = argument;
        break;
    case KEY_SSL_KEY:
        out->tls.key_file = argument;
        break;
    case KEY_SSL_NAME:
        out->tls.server_name = argument;
        break;
    case KEY_SSL_NO_VERIFY:
        out->tls.insecure_no_verify = true;
        break;
    default:
        return false;
    }
    out->ssl = true;
    return true;
}

/* The arguments of the options that name an address. NULL: not given. */
struct given {
    const char *host, *port, *unix_socket;
};

/* Parses the argument of --server-user: a name, a number, or "any". Returns 0, or -1 after printing
 * a message. */
static int take_trust(struct trust *out, const char *text)
{
    *out = (struct trust){.anyone = strcmp(text, "any") == 0};
    if (out->anyone)
        return 0;
    out->has_user = user_parse(&out->user, text);
    if (out->has_user)
        return 0;
    wrong("invalid --server-user '%s': expected the name or number of a user, or 'any'", text);
    return -1;
}

/* The result of take_server_option() and take_output_option(). TAKEN: the function has stored the
 * option. NOT_TAKEN: the function does not handle this option. TAKEN_WRONG: the argument of the
 * option is wrong, and a message was printed. */
enum taken { TAKEN, NOT_TAKEN, TAKEN_WRONG };

/* Stores an option that says where the server is, or which user's server to accept. */
static enum taken take_server_option(struct options *out, struct given *given, int key)
{
    switch (key) {
    case KEY_HOST:
        given->host = optarg;
        return TAKEN;
    case KEY_PORT:
        given->port = optarg;
        return TAKEN;
    case KEY_UNIX_SOCKET:
        given->unix_socket = optarg;
        return TAKEN;
    case KEY_PID:
        out->pid = pid_of(optarg);
        if (out->pid != 0)
            return TAKEN;
        wrong("invalid process ID '%s': expected 1 to %d", optarg, INT_MAX);
        return TAKEN_WRONG;
    case KEY_SUBPROCESSES:
        out->subprocesses = true;
        return TAKEN;
    case KEY_LIST:
        out->list = true;
        return TAKEN;
    case KEY_CORE:
        out->core = optarg;
        return TAKEN;
    case KEY_EXE:
        out->exes[out->exe_count++] = optarg;
        return TAKEN;
    case KEY_RPYC:
        out->version = optarg;
        return TAKEN;
    case KEY_SERVER_USER:
        return take_trust(&out->trust, optarg) < 0 ? TAKEN_WRONG : TAKEN;
    default:
        return NOT_TAKEN;
    }
}

/* Stores an option that says what to run and what to print. */
static enum taken take_output_option(struct options *out, int key)
{
    switch (key) {
    case 'c':
        out->code[out->code_count++] = optarg;
        return TAKEN;
    case KEY_STACKS:
        out->stacks = CHOICE_YES;
        return TAKEN;
    case KEY_NO_STACKS:
        out->stacks = CHOICE_NO;
        return TAKEN;
    case KEY_FORMAT:
        return take_format(out, optarg) != 0 ? TAKEN_WRONG : TAKEN;
    case KEY_JSON:
        out->format = FORMAT_JSON;
        return TAKEN;
    case KEY_FULL:
        out->full = true;
        return TAKEN;
    case KEY_LOCALS:
        out->locals = true;
        return TAKEN;
    case KEY_CHECK:
        out->check = true;
        out->prompt = false;
        return TAKEN;
    case KEY_WATCH:
        out->watch = optarg;
        out->prompt = false;
        return TAKEN;
    case KEY_NO_GREENLETS:
        out->greenlets = false;
        return TAKEN;
    case KEY_NO_PROMPT:
        out->prompt = false;
        return TAKEN;
    case KEY_NO_EXEC:
        out->execute = false;
        return TAKEN;
    case KEY_COLOR:
        out->when = optarg;
        return TAKEN;
    case KEY_TIMEOUT:
        out->timeout = optarg;
        return TAKEN;
    default:
        return NOT_TAKEN;
    }
}

/* Stores the options in *out and *given. */
static enum options_action take_options(struct options *out, struct given *given, int argc,
                                        char **argv)
{
    enum taken taken;
    int key;

    for (;;) {
        key = next_option(argc, argv);
        if (key == -1)
            return OPTIONS_RUN;
        if (key == 'h')
            return OPTIONS_HELP;
        if (key == KEY_VERSION)
            return OPTIONS_VERSION;
        if (take_tls_option(out, key, optarg))
            continue;
        taken = take_server_option(out, given, key);
        if (taken == NOT_TAKEN)
            taken = take_output_option(out, key);
        if (taken != TAKEN) /* getopt_long() has printed a message if the option is unknown */
            return OPTIONS_WRONG;
    }
}

/* ---- The address ----------------------------------------------------------------------------- */

static int given_twice(const char *what, const char *one, const char *other)
{
    wrong("the %s is given twice: '%s' and '%s'", what, one, other);
    return -1;
}

/* Parses one part of the target and stores it with `parse`. there: the part's current value. Prints
 * a message and returns -1 if this value is not empty, or if the text is invalid. */
static int take_part(struct target *out, const char *what, const char *text, const char *there,
                     int (*parse)(struct target *, const char *, struct rpyc_error *))
{
    struct rpyc_error err = RPYC_ERROR_INIT;

    if (*there)
        return given_twice(what, there, text);
    if (parse(out, text, &err) == 0)
        return 0;
    wrong("%s", err.text);
    return -1;
}

/* Parses the arguments TARGET, or HOST and PORT. Returns 0, or -1 after printing a message. */
static int take_positionals(struct target *out, int count, char **arguments)
{
    struct rpyc_error err = RPYC_ERROR_INIT;

    if (count > 2) {
        wrong("one argument too many: '%s'", arguments[2]);
        return -1;
    }
    if (count > 0 && target_parse(out, arguments[0], &err) < 0) {
        wrong("%s", err.text);
        return -1;
    }
    if (count < 2)
        return 0;
    if (*out->path) {
        wrong("a Unix socket has no port: '%s'", arguments[1]);
        return -1;
    }
    return take_part(out, "port", arguments[1], out->port, target_parse_port);
}

/* Adds the arguments of --host, --port and --unix-socket to the target. Returns 0, or -1 after
 * printing a message. */
static int take_given(struct target *out, const struct given *given)
{
    bool has_target = *out->host || *out->port || *out->path;

    if ((given->unix_socket && (has_target || given->host || given->port)) ||
        (*out->path && (given->host || given->port))) {
        wrong("a Unix socket cannot be combined with another address");
        return -1;
    }
    if (given->unix_socket)
        return take_part(out, "socket", given->unix_socket, out->path, target_parse_path);
    if (given->host && take_part(out, "host", given->host, out->host, target_parse_host) < 0)
        return -1;
    if (given->port && take_part(out, "port", given->port, out->port, target_parse_port) < 0)
        return -1;
    return 0;
}

/* Fills in the default address. Sets out->somewhere if the user gave an address or a process.
 * Returns 0, or -1 after printing a message. */
static int settle_address(struct options *out)
{
    struct target *target = &out->target;
    bool has_target = *target->host || *target->port || *target->path;

    if (out->pid && has_target) {
        wrong("--pid cannot be combined with an address");
        return -1;
    }
    out->somewhere = out->pid || has_target;
    if (out->list && out->somewhere) {
        wrong("--list shows all processes: it cannot be combined with an address or --pid");
        return -1;
    }
    if (!*target->host)
        snprintf(target->host, sizeof(target->host), "%s", DEFAULT_HOST);
    if (!*target->port)
        snprintf(target->port, sizeof(target->port), "%s", DEFAULT_PORT);
    return 0;
}

#ifdef STATIC_CLIENT
/* Rejects options that a static program cannot serve: it can load neither the libraries that
 * resolve names nor librpyc-ssl. Returns 0, or -1 after printing a message. */
static int settle_static(const struct options *out)
{
    const struct target *target = &out->target;
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;

    if (out->ssl) {
        wrong("this pystuck is linked statically, and does not have TLS");
        return -1;
    }
    if (*target->path || getaddrinfo(target->host, NULL, &hints, &found) == 0) {
        if (found)
            freeaddrinfo(found);
        return 0;
    }
    wrong("this pystuck is linked statically, and does not resolve names: instead of '%s', give an "
          "address such as 127.0.0.1",
          target->host);
    return -1;
}
#else
static int settle_static(const struct options *out)
{
    (void)out;
    return 0;
}
#endif

/* ---- The other options ----------------------------------------------------------------------- */

static int settle_color(struct options *out)
{
    if (!out->when || strcmp(out->when, "auto") == 0)
        return 0;
    out->color = strcmp(out->when, "always") == 0 ? CHOICE_YES : CHOICE_NO;
    if (out->color == CHOICE_YES || strcmp(out->when, "never") == 0)
        return 0;
    wrong("invalid --color '%s': expected auto, always or never", out->when);
    return -1;
}

/* Parses a time in seconds, and stores it in ms. what: the name of the time in the message. Does
 * nothing if text is NULL. Returns 0, or -1 after printing a message. */
static int settle_seconds(int *ms, const char *text, const char *what)
{
    const double longest = INT_MAX / 1000;
    double seconds;

    if (!text)
        return 0;
    seconds = strtod(text, NULL);
    if (text[strspn(text, "0123456789.")] != '\0' || strchr(text, '.') != strrchr(text, '.') ||
        !(seconds > 0)) {
        wrong("invalid %s '%s': expected seconds > 0", what, text);
        return -1;
    }
    *ms = seconds < longest ? (int)(seconds * 1000) : INT_MAX;
    if (*ms == 0)
        *ms = 1;
    return 0;
}

/* Parses the argument of --rpyc: "5" or "6", or "5-bound" or "6-bound" for a server that runs with
 * RPYC_BIND_THREADS=true. */
static int settle_version(struct options *out)
{
    const char *text = out->version;

    if (!text)
        return 0;
    if ((text[0] == '5' || text[0] == '6') && (!text[1] || strcmp(text + 1, "-bound") == 0)) {
        out->rpyc.generation = text[0] == '5' ? RPYC_GENERATION_5 : RPYC_GENERATION_6;
        out->rpyc.bind_threads = text[1] != '\0';
        return 0;
    }
    wrong("invalid --rpyc '%s': expected 5 (rpyc 4.1 to 5.3), 6, 5-bound or 6-bound", text);
    return -1;
}

static int check_tls(const struct options *out)
{
    const struct rpyc_tls *tls = &out->tls;

    if (tls->key_file && !tls->cert_file) {
        wrong("--ssl-key requires --ssl-cert: name the certificate of the key");
        return -1;
    }
    if (tls->insecure_no_verify && (tls->ca_file || tls->server_name)) {
        wrong("--ssl-no-verify cannot be combined with --ssl-ca or --ssl-name");
        return -1;
    }
    if (tls->server_name &&
        (*tls->server_name == '\0' || strlen(tls->server_name) > TARGET_HOST_MAX)) {
        wrong("invalid --ssl-name '%.64s': expected a name or an address of 1 to %d characters",
              tls->server_name, TARGET_HOST_MAX);
        return -1;
    }
    if (out->ssl && out->list) {
        wrong("--list cannot be combined with options of TLS");
        return -1;
    }
    return 0;
}

/* Checks that --core is not combined with an option for a process that runs. */
static int check_core(const struct options *out)
{
    if (!out->core && out->exe_count > 0) {
        wrong("--exe requires --core: name the core file");
        return -1;
    }
    if (out->core && (out->somewhere || out->list || out->ssl)) {
        wrong("--core cannot be combined with an address, --pid, --list or options of TLS");
        return -1;
    }
    if (out->core && (out->code_count > 0 || out->stacks == CHOICE_NO)) {
        wrong("--core cannot be combined with -c or --no-stacks: no code can run in a core file");
        return -1;
    }
    return 0;
}

/* Checks the options and fills in the defaults. Returns 0, or -1 after printing a message. */
static int settle(struct options *out)
{
    if (settle_address(out) < 0 || settle_static(out) < 0 || settle_color(out) < 0 ||
        settle_version(out) < 0 || settle_seconds(&out->timeout_ms, out->timeout, "timeout") < 0 ||
        settle_seconds(&out->watch_ms, out->watch, "--watch") < 0 || check_tls(out) < 0 ||
        check_core(out) < 0)
        return -1;
    if (out->subprocesses && !out->pid) {
        wrong("--subprocesses requires --pid: name the parent process");
        return -1;
    }
    if (out->subprocesses && (out->code_count > 0 || out->stacks == CHOICE_NO)) {
        wrong("--subprocesses cannot be combined with -c, a script or --no-stacks");
        return -1;
    }
    if (out->format == FORMAT_JSON && (out->code_count > 0 || out->stacks == CHOICE_NO)) {
        wrong("--json cannot be combined with -c, a script or --no-stacks");
        return -1;
    }
    if (out->check && (out->code_count > 0 || out->stacks == CHOICE_NO)) {
        wrong("--check cannot be combined with -c or --no-stacks");
        return -1;
    }
    if (out->watch && (out->code_count > 0 || out->stacks == CHOICE_NO || out->list || out->core)) {
        wrong("--watch cannot be combined with -c, --no-stacks, --list or --core");
        return -1;
    }
    return 0;
}

enum options_action options_parse(struct options *out, int argc, char **argv)
{
    static char name[] = "pystuck";
    struct given given = {0};
    static struct rpyc_envelope found;
    enum options_action action;

    /* getopt_long() begins its messages with argv[0]. */
    argv[0] = name;
    *out = (struct options){.prompt = true, .execute = true, .greenlets = true, .found = &found};
    out->code = calloc((size_t)argc, sizeof(*out->code)); /* never freed */
    out->exes = calloc((size_t)argc, sizeof(*out->exes)); /* never freed */
    if (!out->code || !out->exes) {
        wrong("out of memory");
        return OPTIONS_WRONG;
    }
    action = take_options(out, &given, argc, argv);
    if (action != OPTIONS_RUN)
        return action;
    if (take_positionals(&out->target, argc - optind, argv + optind) < 0 ||
        take_given(&out->target, &given) < 0 || settle(out) < 0)
        return OPTIONS_WRONG;
    return OPTIONS_RUN;
}

static void help_line(FILE *stream, const char *left, const char *right)
{
    fprintf(stream, "  %-21s  %s\n", left, right);
}

/* Returns the short form of an option, as the help shows it before the long name; "" if the option
 * has no short form. */
static const char *letter_of(int key)
{
    if (key == 'h')
        return "-h, ";
    return key == 'c' ? "-c, " : "";
}

void options_help(FILE *stream)
{
    char left[64];

    fprintf(stream, "%s\n%s\narguments:\n", usage, explanation);
    help_line(stream, "TARGET", "address of the debuggee: host, host:port, [v6]:port,");
    help_line(stream, "", "port or unix:PATH (default: " DEFAULT_HOST ":" DEFAULT_PORT ")");
    help_line(stream, "HOST PORT", "the same as HOST:PORT");
    fputs("\noptions:\n", stream);
    for (size_t i = 0; i < COUNT(known); i++) {
        snprintf(left, sizeof(left), "%s--%s%s%s", letter_of(known[i].key), known[i].name,
                 known[i].argument ? " " : "", known[i].argument ? known[i].argument : "");
        help_line(stream, left, known[i].help);
    }
}

void options_instructions(FILE *stream)
{
    fputs("The program must run this line once, at its start:\n"
          "\n"
          "    import pystuck; pystuck.run_server()\n"
          "\n"
          "If the server listens on another address, run pystuck TARGET (see pystuck -h).\n"
          "pystuck --list shows the programs of this machine that have a server.\n",
          stream);
}

bool options_is_json(const struct options *options)
{
    return options->format == FORMAT_JSON || options->format == FORMAT_JSON_LINES;
}

bool options_opens_prompt(const struct options *options)
{
    return options->prompt && !options_is_json(options) && options->code_count == 0 &&
           isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}
