/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Local functions that send requests themselves.
 */
#include "local_object.h"

/* Gets the attribute x of its first argument. */
static int ask_back(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                    struct rpyc_error *err)
{
    (void)arg;
    (void)kwargs;
    return rpyc_getattr(rpyc_item(args, 0), "x", out, err);
}

static void serve_one(void *arg)
{
    struct link *l = arg;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_process(l->conn, 10000, &err), 1);
}

/* The peer calls a local function with an object of its own. The call is served by a thread. */
static void start_call(struct thread *thread, struct link *l, const struct pack *function)
{
    char request[512];

    snprintf(request, sizeof(request), "011157 1157 1152 11" OBJ "1152 10 1154" LIST,
             function->hex);
    say(&l->peer, request);
    thread_start(thread, serve_one, l);
}

#define ASKED_FOR_X "011150 1154 1152 11 1153" LIST OTHER

TEST(a_function_may_ask_the_peer_while_it_is_called)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *f = function(ask_back, NULL);
    struct pack pack = show(&l, f);
    struct thread thread;

    start_call(&thread, &l, &pack);
    hears(&l.peer, ASKED_FOR_X);
    say(&l.peer, "021150 1151 080a79");
    hears(&l.peer, "021157 1151 080a79");
    thread_join(&thread);
}

/* a.b.C("y") */
#define EXCEPTION "11 080c612e62 080a43 10 080a79"

TEST(an_exception_of_the_peer_goes_back_as_it_was)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *f = function(ask_back, NULL);
    struct pack pack = show(&l, f);
    AUTO_BYTES answer = {NULL, 0};
    struct thread thread;

    start_call(&thread, &l, &pack);
    hears(&l.peer, ASKED_FOR_X);
    say(&l.peer, "031150 13" EXCEPTION "02 080b7462");
    answer = next_frame(&l.peer);
    thread_join(&thread);
    assert_true(answer.len > 17);
    assert_bytes(answer.data, 17, "031157 13" EXCEPTION);
}

/* The peer calls f again while f runs, several times; the innermost call returns first. */
TEST(calls_nest)
{
    enum { DEPTH = 20 };
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *f = function(ask_back, NULL);
    struct pack pack = show(&l, f);
    struct thread thread;
    char text[512];
    int i;

    thread_start(&thread, serve_one, &l);
    for (i = 0; i < DEPTH; i++) {
        snprintf(text, sizeof(text), "0111 %02x 1157 1152 11" OBJ "1152 10 1154" LIST, 0x50 + i,
                 pack.hex);
        say(&l.peer, text);
        snprintf(text, sizeof(text), "0111 %02x 1154 1152 11 1153" LIST OTHER, 0x50 + i);
        hears(&l.peer, text);
    }
    for (i = DEPTH - 1; i >= 0; i--) {
        snprintf(text, sizeof(text), "0211 %02x 1151 51", 0x50 + i);
        say(&l.peer, text);
        hears(&l.peer, text);
    }
    thread_join(&thread);
}

/* The request is served while another one waits for its reply. */
TEST(a_function_is_called_while_we_wait)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int three = 3;
    AUTO_VALUE *f = function(add, &three);
    struct pack pack = show(&l, f);
    char request[512];

    snprintf(request, sizeof(request), "011157 1157 1152 11" OBJ "1151 10 52", pack.hex);
    say(&l.peer, request);
    say(&l.peer, "021150 1151 0a78");
    assert_ok(rpyc_ping(l.conn, "x", 1, &err), &err);
    hears(&l.peer, "011150 1151 1151 10 0a78");
    hears(&l.peer, "021157 1151 55");
}
