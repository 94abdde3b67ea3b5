/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A connection under test, its owner, and the peer at the other end of its socket. For test_conn.c,
 * test_send.c, test_receive.c, test_await.c and test_await_requests.c.
 */
#ifndef CONN_LINK_H
#define CONN_LINK_H

#include "conn.h"
#include "unit.h"

#define SOON deadline_in(60000)

struct owner {
    int (*serve)(struct owner *owner, struct conn *c, struct message *m, struct rpyc_error *err);
    atomic_int served, result;
    int64_t handler;            /* the handler of the latest request */
    atomic_bool give_up;        /* what the `interrupted` callback returns */
    _Atomic(pthread_t) quitter; /* the only thread for which give_up counts; 0: all threads */
    struct conn *to_ask;   /* a signal handler sends a request to it and sets NULL; see `why` */
    struct rpyc_error why; /* the error of the signal handler's request */
    int nested;
};

struct link {
    struct conn *c;
    int fd; /* the connection's, borrowed */
    struct peer peer;
    struct owner owner;
};

/* The callback of a connection: calls the owner's function. */
int serve(void *owner, struct conn *c, struct message *m, int64_t handler, struct rpyc_error *err);

extern const struct conn_callbacks plain_callbacks, interruptible_callbacks;

/* Answers each request with the int 42. */
int serve_42(struct owner *owner, struct conn *c, struct message *m, struct rpyc_error *err);
void link_open(struct link *l, const struct conn_callbacks *ops, const struct conn_config *config);
struct link *link_new(enum rpyc_generation generation, bool bound);
void link_free(struct link **l);

#define AUTO_LINK _cleanup_(link_free) struct link *

/* ---- Asking ---------------------------------------------------------------------------------- */

#define NO_ARGS "115102"

/* Sends a request without arguments and waits for its reply. */
int ask(struct conn *c, enum handler handler, struct message *p, deadline_t deadline,
        struct rpyc_error *err);

/* Checks that GETROOT gets a reply with these arguments. */
void assert_answer_at(struct conn *c, enum message_kind kind, const char *args, const char *file,
                      int line);

#define assert_answer(c, kind, args) assert_answer_at(c, kind, args, __FILE__, __LINE__)

/* Checks that GETROOT fails, with this error. */
#define assert_no_answer(c, deadline, errcode, text)                                               \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        struct message p_;                                                                         \
        assert_int_equal(ask(c, HANDLE_GETROOT, &p_, deadline, &err_), -1);                        \
        assert_error(&err_, errcode, text);                                                        \
    } while (0)

/* A thread that sends a request, and the outcome. */
struct asker {
    struct thread thread;
    struct conn *c;
    enum handler handler;
    deadline_t deadline;
    int result;
    int64_t answer; /* the int in the box of the reply */
    struct rpyc_error err;
};
/* Sends the request of a, and waits for the reply. */
void run_asker(void *a);
void asker_start(struct asker *a, struct conn *c, enum handler handler, deadline_t deadline);

/* Starts a thread and returns when it has the read role: it has sent its request and sleeps. */
void asker_start_reading(struct asker *a, struct link *l, enum handler handler, deadline_t deadline,
                         const char *request);
void asker_join(struct asker *a);

/* Waits for the end of the thread. Checks that the reply was an int. */
#define asker_gets(a, number)                                                                      \
    do {                                                                                           \
        asker_join(a);                                                                             \
        assert_int_equal((a)->result, 0);                                                          \
        assert_int_equal((a)->answer, number);                                                     \
    } while (0)

/* Waits for the end of the thread. Checks that the request failed. */
#define asker_fails(a, errcode)                                                                    \
    do {                                                                                           \
        asker_join(a);                                                                             \
        assert_int_equal((a)->result, -1);                                                         \
        assert_int_equal((a)->err.code, errcode);                                                  \
    } while (0)

/* ---- Serve callbacks ------------------------------------------------------------------------- */

/* Sends a request to the peer and answers with its reply. */
int serve_by_asking(struct owner *owner, struct conn *c, struct message *m, struct rpyc_error *err);
int serve_by_a_thread_that_asks(struct owner *owner, struct conn *c, struct message *m,
                                struct rpyc_error *err);
int serve_after_a_false_start(struct owner *owner, struct conn *c, struct message *m,
                              struct rpyc_error *err);

#endif
