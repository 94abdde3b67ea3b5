/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/connect.h"

#include <stdio.h>
#include <string.h>

#include "connect/dial.h"
#include "connect/find.h"
#include "connect/state.h"
#include "connect/tls_files.h"
#include "text.h"

/* SILENCE_MS: how long a server may be silent before the user is told, in ms. A server that can
 * answer does so within 0.1 s, even while the GIL is held. If many threads are busy, it may need
 * longer. SHORT_MS: if --timeout is at most this number of ms, the user is not told. */
#define SILENCE_MS 1300
#define SHORT_MS   2500

#define SILENCE_WHERE_SIZE 128

struct address connect_address(const struct options *options)
{
    const struct target *target = &options->target;

    return (struct address){.host = target->host,
                            .port = target->port,
                            .path = *target->path ? target->path : NULL,
                            .trust = &options->trust};
}

/* The argument of on_silence(). */
struct silent {
    const struct address *address;
    pid_t pid; /* the server's process; 0: not known yet */
    const struct silence *silence;
};

/* Tries to connect to the servers of the process options->pid, until one accepts. All these servers
 * are pystuck servers, so they speak rpyc 6. */
static int connect_process(rpyc_conn **out, const struct options *options, struct rpyc_options *how,
                           struct rpyc_error *err)
{
    struct address_text text;
    struct servers found;
    struct address address;
    int result = -1;

    if (how->generation == RPYC_GENERATION_AUTO)
        how->generation = RPYC_GENERATION_6;
    if (find_of_process(&found, options->pid, err) == 0) {
        for (size_t i = 0; i < found.count && result < 0; i++) {
            if (!found.all[i].has_address)
                continue;
            rpyc_error_clear(err);
            find_address(&address, &text, &found.all[i]);
            address.trust = &options->trust;
            ((struct silent *)how->on_silence_arg)->address = &address;
            result = dial_server(out, &address, how, err);
        }
    }
    find_free(&found);
    return result;
}

/* True if a pystuck server listens on the address. In this case, a missing answer means that the
 * server is busy, and not that the server speaks another version of rpyc. */
static bool is_pystuck(void *arg)
{
    const struct address *address = arg;
    struct servers found;
    bool result;

    find_all(&found);
    result = find_at(&found, address) != NULL;
    find_free(&found);
    return result;
}

/* Prints why a pystuck server does not answer. */
static void report_silence(const struct server *s, const struct address *address)
{
    char where[SILENCE_WHERE_SIZE], state[STATE_TEXT_SIZE], line[STATE_TEXT_SIZE + 512];

    address_describe(where, sizeof(where), address);
    state_describe(s, state);
    snprintf(line, sizeof(line), "no answer yet from %s: process %d (%.*s) %s", where, (int)s->pid,
             find_brief(s->command), s->command, state);
    fputs("pystuck: ", stderr);
    text_print(stderr, line, strlen(line));
    fputc('\n', stderr);
}

/* If the server is a pystuck server of this machine, calls the caller's silence->call, or prints
 * why the server does not answer. Returns true if the client must wait further. */
static bool on_silence(void *arg)
{
    const struct silent *silent = arg;
    const struct silence *silence = silent->silence;
    bool goes_on = true, told = false;
    const struct server *s;
    struct servers found;

    find_likely(&found);
    s = find_at(&found, silent->address);
    if (silence && (silent->pid || (s && s->is == SERVER_IS_OWN)))
        goes_on = silence->call(silent->pid ? silent->pid : s->pid, &told, silence->arg);
    if (s && !told)
        report_silence(s, silent->address);
    find_free(&found);
    return goes_on;
}

/* Returns how long a server may be silent before the user is told, in ms. Returns 0 if --timeout is
 * at most SHORT_MS. In this case, the user is not told, because the error message at the end of
 * this short time gives the same information. */
static int silence_ms(const struct options *options)
{
    return options->timeout_ms > 0 && options->timeout_ms <= SHORT_MS ? 0 : SILENCE_MS;
}

int connect_server(rpyc_conn **out, const struct options *options,
                   const struct early_request *early, const struct silence *silence,
                   struct rpyc_error *err)
{
    struct address address = connect_address(options);
    struct silent silent = {&address, options->pid, silence};
    const struct rpyc_tls tls = tls_files_settings(options);
    struct rpyc_options how = {.generation = options->rpyc.generation,
                               .bind_threads = options->rpyc.bind_threads,
                               .connect_timeout_ms = options->timeout_ms > 0 ? options->timeout_ms
                                                                             : options->connect_ms,
                               .request_timeout_ms = options->timeout_ms,
                               .tls = options->ssl ? &tls : NULL,
                               .remembered = options->found,
                               .is_certain = is_pystuck,
                               .is_certain_arg = &address,
                               .early_handler = early ? early->handler : 0,
                               .early_args = early ? early->args : NULL,
                               .on_silence = silence_ms(options) > 0 ? on_silence : NULL,
                               .on_silence_arg = &silent,
                               .silence_ms = silence_ms(options)};
    int result;

    if (options->ssl && tls_files_check(&tls, err) < 0)
        return -1;
    if (options->pid)
        result = connect_process(out, options, &how, err);
    else
        result = dial_server(out, &address, &how, err);
    if (result == 0)
        *options->found = rpyc_conn_envelope(*out);
    return result;
}
