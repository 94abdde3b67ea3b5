/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_PORT "6666"

#define MAX_NAME 253 /* characters in the name of a host */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The options without a letter: numbers that are no character. */
enum {
    KEY_HOST = 256,
    KEY_PORT,
    KEY_UNIX_SOCKET,
    KEY_PID,
    KEY_LIST,
    KEY_STACKS,
    KEY_NO_STACKS,
    KEY_JSON,
    KEY_NO_GREENLETS,
    KEY_NO_PROMPT,
    KEY_NO_EXEC,
    KEY_COLOR,
    KEY_TIMEOUT,
    KEY_SSL,
    KEY_SSL_CA,
    KEY_SSL_CERT,
    KEY_SSL_KEY,
    KEY_SSL_NAME,
    KEY_SSL_NO_VERIFY,
    KEY_VERSION
};

/* Every option, once: getopt_long's table and the help are both made from it. */
static const struct {
    const char *name;
    const char *argument; /* its name in the help, or NULL: takes none */
    int key;              /* a letter, or a KEY_ */
    const char *help;
} known[] = {
    {"help", NULL, 'h', "show this text and exit"},
    {"version", NULL, KEY_VERSION, "show the version and exit"},
    {"code", "CODE", 'c', "run this in the debuggee; may be given again"},
    {"stacks", NULL, KEY_STACKS, "show the stacks also where code is run"},
    {"no-stacks", NULL, KEY_NO_STACKS, "leave out the stacks of the debuggee's threads"},
    {"json", NULL, KEY_JSON, "show the stacks as one JSON document, and nothing else"},
    {"exclude-greenlets", NULL, KEY_NO_GREENLETS, "leave out the stacks of greenlets"},
    {"no-ipython", NULL, KEY_NO_PROMPT, "leave out the prompt, and what is on standard input"},
    {"no-repl", NULL, KEY_NO_PROMPT, "the same as --no-ipython"},
    {"no-exec", NULL, KEY_NO_EXEC, "run no code in the debuggee: use its objects only"},
    {"color", "WHEN", KEY_COLOR, "in colours: auto (on terminals), always or never"},
    {"timeout", "SECONDS", KEY_TIMEOUT, "how long to wait for an answer of the debuggee"},
    {"host", "HOST", KEY_HOST, "the same as the argument host"},
    {"port", "PORT", KEY_PORT, "the same as the argument port"},
    {"unix-socket", "PATH", KEY_UNIX_SOCKET,
     "use this Unix socket instead (@NAME: an abstract one)"},
    {"pid", "PID", KEY_PID, "look into this process, whatever its address"},
    {"ssl", NULL, KEY_SSL, "over TLS; each of the options below means this as well"},
    {"ssl-ca", "FILE", KEY_SSL_CA, "who may have signed the server's certificate (PEM)"},
    {"ssl-cert", "FILE", KEY_SSL_CERT, "show the server this certificate (PEM)"},
    {"ssl-key", "FILE", KEY_SSL_KEY, "the certificate's key, if it is in another file"},
    {"ssl-name", "NAME", KEY_SSL_NAME, "the server's name, if it is not the host's"},
    {"ssl-no-verify", NULL, KEY_SSL_NO_VERIFY, "take any server for the right one"},
    {"list", NULL, KEY_LIST, "show which processes of this machine can be looked into"},
};

static const char usage[] = "usage: pystuck [-h] [--no-stacks] [--no-ipython] [host] [port]\n"
                            "       pystuck [-h] [--no-stacks] [--no-ipython] "
                            "--unix-socket PATH\n"
                            "       pystuck [-h] [--no-stacks] [--no-ipython] --pid PID\n"
                            "       pystuck --ssl-ca FILE [--ssl-cert FILE] [--ssl-key FILE] "
                            "[host] [port]\n"
                            "       pystuck --list\n"
                            "       pystuck [-c CODE]... [--stacks] [host] [port] [< script.py]\n"
                            "       pystuck --json [--exclude-greenlets] [host] [port]\n";

static const char explanation[] =
    "Shows where a running Python program is stuck, and why.\n"
    "\n"
    "The program to look into, the debuggee, has to let pystuck in. For that it runs\n"
    "this line once, best of all right at its start:\n"
    "\n"
    "    import pystuck; pystuck.run_server()\n"
    "\n"
    "pystuck itself is run from the shell while the debuggee is stuck. It prints a\n"
    "stack for each thread of the debuggee, the innermost call last; often that says\n"
    "it all. Then it opens a prompt from which every module and every variable of the\n"
    "debuggee is within reach.\n"
    "\n"
    "With -c, or a script on standard input, that is run in the debuggee, in a\n"
    "namespace of its own where 'modules' gives access to its modules, and what it\n"
    "prints and the values of its expressions are printed here:\n"
    "\n"
    "    pystuck -c \"modules['__main__'].queue.qsize()\"\n";

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells stderr what is wrong with the command line, and what a right one looks like. */
static void wrong(const char *format, ...)
{
    va_list args;

    fputs("pystuck: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n%s", usage);
}

/* The next option's key as getopt_long has it: -1 at the end, '?' after a mistake. */
static int next_option(int argc, char **argv)
{
    struct option table[COUNT(known) + 1] = {{0}};

    for (size_t i = 0; i < COUNT(known); i++)
        table[i] = (struct option){
            known[i].name, known[i].argument ? required_argument : no_argument, NULL, known[i].key};
    return getopt_long(argc, argv, "hc:", table, NULL);
}

/* The number of a process; 0 for what is none. */
static int pid_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number = strtoul(text, NULL, 10); /* ULONG_MAX for what does not fit */

    return digits > 0 && text[digits] == '\0' && number <= INT_MAX ? (int)number : 0;
}

/* Takes an option of TLS; false: it is none. */
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

/* Takes the options into *out, where NULL stays NULL for what was not given. */
static enum options_action take_options(struct options *out, int argc, char **argv)
{
    int key;

    for (;;) {
        key = next_option(argc, argv);
        if (take_tls_option(out, key, optarg))
            continue;
        switch (key) {
        case -1:
            return OPTIONS_RUN;
        case 'h':
            return OPTIONS_HELP;
        case KEY_VERSION:
            return OPTIONS_VERSION;
        case 'c':
            out->code[out->code_count++] = optarg;
            break;
        case KEY_STACKS:
            out->stacks = CHOICE_YES;
            break;
        case KEY_NO_STACKS:
            out->stacks = CHOICE_NO;
            break;
        case KEY_JSON:
            out->json = true;
            break;
        case KEY_NO_GREENLETS:
            out->greenlets = false;
            break;
        case KEY_NO_PROMPT:
            out->prompt = false;
            break;
        case KEY_NO_EXEC:
            out->execute = false;
            break;
        case KEY_COLOR:
            out->when = optarg;
            break;
        case KEY_TIMEOUT:
            out->timeout = optarg;
            break;
        case KEY_HOST:
            out->host = optarg;
            break;
        case KEY_PORT:
            out->port = optarg;
            break;
        case KEY_UNIX_SOCKET:
            out->unix_socket = optarg;
            break;
        case KEY_PID:
            out->pid = pid_of(optarg);
            if (out->pid == 0) {
                wrong("'%s' is not the number of a process", optarg);
                return OPTIONS_WRONG;
            }
            break;
        case KEY_LIST:
            out->list = true;
            break;
        default: /* getopt_long has said what is wrong, in one line */
            fputs(usage, stderr);
            return OPTIONS_WRONG;
        }
    }
}

/* Takes a positional argument, if there is one, into the option that means the same. */
static int take_positional(const char **option, const char *name, const char *argument)
{
    if (!argument)
        return 0;
    if (*option) {
        wrong("the %s is given twice: '%s' and '%s'", name, *option, argument);
        return -1;
    }
    *option = argument;
    return 0;
}

static int take_positionals(struct options *out, int count, char **arguments)
{
    if (count > 2) {
        wrong("one argument too many: '%s'", arguments[2]);
        return -1;
    }
    if (take_positional(&out->host, "host", count > 0 ? arguments[0] : NULL) != 0)
        return -1;
    return take_positional(&out->port, "port", count > 1 ? arguments[1] : NULL);
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    /* strtoul says ULONG_MAX for what does not fit, which is no port either. */
    return digits > 0 && text[digits] == '\0' && strtoul(text, NULL, 10) <= 65535;
}

static int settle_color(struct options *out)
{
    if (!out->when || strcmp(out->when, "auto") == 0)
        return 0;
    out->color = strcmp(out->when, "always") == 0 ? CHOICE_YES : CHOICE_NO;
    if (out->color == CHOICE_YES || strcmp(out->when, "never") == 0)
        return 0;
    wrong("--color is auto, always or never, and not '%s'", out->when);
    return -1;
}

static int settle_timeout(struct options *out)
{
    const double longest = INT_MAX / 1000;
    double seconds;

    if (!out->timeout)
        return 0;
    seconds = strtod(out->timeout, NULL);
    if (out->timeout[strspn(out->timeout, "0123456789.")] != '\0' ||
        strchr(out->timeout, '.') != strrchr(out->timeout, '.') || !(seconds > 0)) {
        wrong("'%s' is no timeout: a number of seconds above 0 is wanted", out->timeout);
        return -1;
    }
    out->timeout_ms = seconds < longest ? (int)(seconds * 1000) : INT_MAX;
    if (out->timeout_ms == 0)
        out->timeout_ms = 1;
    return 0;
}

static int check_tls(const struct options *out)
{
    const struct rpyc_tls *tls = &out->tls;

    if (tls->key_file && !tls->cert_file) {
        wrong("--ssl-key is the key of a certificate: --ssl-cert says of which");
        return -1;
    }
    if (tls->insecure_no_verify && (tls->ca_file || tls->server_name)) {
        wrong("--ssl-no-verify goes with neither --ssl-ca nor --ssl-name, which would be verified");
        return -1;
    }
    if (tls->server_name && (*tls->server_name == '\0' || strlen(tls->server_name) > MAX_NAME)) {
        wrong("--ssl-name is a name or an address, of up to %d characters", MAX_NAME);
        return -1;
    }
    if (out->ssl && out->list) {
        wrong("--list connects to nothing: it goes with no option of TLS");
        return -1;
    }
    return 0;
}

/* Fills in the defaults where nothing was given, and checks what was. */
static int settle(struct options *out)
{
    if (out->unix_socket && (out->host || out->port)) {
        wrong("--unix-socket goes with neither a host nor a port");
        return -1;
    }
    if (out->pid && (out->unix_socket || out->host || out->port)) {
        wrong("--pid goes with no address: the process has one");
        return -1;
    }
    out->somewhere = out->pid || out->unix_socket || out->host || out->port;
    if (out->list && out->somewhere) {
        wrong("--list shows all processes: it goes with neither an address nor --pid");
        return -1;
    }
    if (out->port && !is_port(out->port)) {
        wrong("'%s' is not a port: a number from 0 to 65535 is wanted", out->port);
        return -1;
    }
    if (settle_color(out) < 0 || settle_timeout(out) < 0 || check_tls(out) < 0)
        return -1;
    if (out->json && (out->code_count > 0 || out->stacks == CHOICE_NO)) {
        wrong("--json goes with neither -c, nor a script, nor --no-stacks");
        return -1;
    }
    if (!out->host)
        out->host = DEFAULT_HOST;
    if (!out->port)
        out->port = DEFAULT_PORT;
    return 0;
}

enum options_action options_parse(struct options *out, int argc, char **argv)
{
    static char name[] = "pystuck";
    enum options_action action;

    /* getopt_long begins its messages with argv[0]: let them look like ours. */
    argv[0] = name;
    *out = (struct options){.prompt = true, .execute = true, .greenlets = true};
    out->code = calloc((size_t)argc, sizeof(*out->code)); /* for as long as we run */
    if (!out->code) {
        wrong("out of memory");
        return OPTIONS_WRONG;
    }
    action = take_options(out, argc, argv);
    if (action != OPTIONS_RUN)
        return action;
    if (take_positionals(out, argc - optind, argv + optind) != 0 || settle(out) != 0)
        return OPTIONS_WRONG;
    return OPTIONS_RUN;
}

static void help_line(FILE *stream, const char *left, const char *right)
{
    fprintf(stream, "  %-21s  %s\n", left, right);
}

/* An option's letter, as the help shows it before the name. */
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
    help_line(stream, "host", "where the debuggee listens (default: " DEFAULT_HOST ")");
    help_line(stream, "port", "the TCP port it listens on (default: " DEFAULT_PORT ")");
    fputs("\noptions:\n", stream);
    for (size_t i = 0; i < COUNT(known); i++) {
        snprintf(left, sizeof(left), "%s--%s%s%s", letter_of(known[i].key), known[i].name,
                 known[i].argument ? " " : "", known[i].argument ? known[i].argument : "");
        help_line(stream, left, known[i].help);
    }
}

void options_instructions(FILE *stream)
{
    fputs("The program to look into, the debuggee, has to run this line once, at its start:\n"
          "\n"
          "    import pystuck; pystuck.run_server()\n"
          "\n"
          "If it did, give its address here: pystuck [host] [port] (see pystuck -h);\n"
          "pystuck --list shows the programs of this machine that did.\n",
          stream);
}
