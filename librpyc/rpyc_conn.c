/* SPDX-License-Identifier: BSD-3-Clause */
#include "rpyc_conn.h"

#include <limits.h>
#include <stdlib.h>

/* The most items in a received message. This number limits the memory for the message's values,
 * which take many times the memory of their brine. */
#define ITEMS_MAX ((size_t)8 * 1024 * 1024)

/* ---- Lifetime -------------------------------------------------------------------------------- */

int rpyc_conn_new(rpyc_conn **out, const struct stream *stream, const struct conn_callbacks *host,
                  const struct conn_config *config, bool guessing, int request_timeout_ms,
                  struct rpyc_error *err)
{
    rpyc_conn *conn = calloc(1, sizeof(*conn));
    struct conn_config limited = *config;
    struct stream taken = *stream;

    if (!conn) {
        stream_close(&taken);
        return error_nomem(err);
    }
    atomic_init(&conn->refs, 1);
    conn->guessing = guessing;
    conn->request_timeout_ms = request_timeout_ms;
    conn->deadline = DEADLINE_NEVER;
    pthread_mutex_init(&conn->lock, NULL);
    limited.max_items = ITEMS_MAX;
    if (conn_new(&conn->conn, &taken, host, conn, &limited, err) < 0) {
        rpyc_conn_unref(conn);
        return -1;
    }
    *out = conn;
    return 0;
}

rpyc_conn *rpyc_conn_ref(rpyc_conn *conn)
{
    atomic_fetch_add(&conn->refs, 1);
    return conn;
}

/* Drops the references to all local objects that the peer holds. */
static void clear_locals(rpyc_conn *conn)
{
    struct held_table locals;

    pthread_mutex_lock(&conn->lock);
    locals = conn->locals;
    conn->locals = (struct held_table){0};
    pthread_mutex_unlock(&conn->lock);
    held_clear(&locals);
}

void rpyc_conn_unref(rpyc_conn *conn)
{
    if (atomic_fetch_sub(&conn->refs, 1) > 1)
        return;
    conn_unref(conn->conn);
    releases_free(&conn->releases);
    clear_locals(conn);
    pthread_mutex_destroy(&conn->lock);
    free(conn);
}

static void forget(rpyc_conn *conn, struct pending **request)
{
    if (*request)
        conn_forget(conn->conn, *request);
    *request = NULL;
}

void rpyc_close(rpyc_conn *conn)
{
    rpyc_value *root, *service;

    if (!conn)
        return;
    conn_goodbye(conn->conn);
    conn_release(conn->conn);
    forget(conn, &conn->root_request);
    forget(conn, &conn->early);
    clear_locals(conn);
    pthread_mutex_lock(&conn->lock);
    root = conn->root;
    service = conn->service;
    conn->root = NULL;
    conn->service = NULL;
    pthread_mutex_unlock(&conn->lock);
    rpyc_unref(root);
    rpyc_unref(service);
    rpyc_conn_unref(conn);
}

/* ---- Properties ------------------------------------------------------------------------------ */

enum rpyc_generation rpyc_conn_generation(const rpyc_conn *conn)
{
    return conn_envelope(conn->conn).generation;
}

struct rpyc_envelope rpyc_conn_envelope(const rpyc_conn *conn)
{
    struct envelope env = conn_envelope(conn->conn);

    return (struct rpyc_envelope){env.generation, env.bound};
}

struct rpyc_envelope rpyc_conn_dialect(const rpyc_conn *conn)
{
    return rpyc_conn_envelope(conn);
}

void rpyc_set_timeout(rpyc_conn *conn, int request_timeout_ms)
{
    conn->request_timeout_ms = request_timeout_ms == 0 ? REQUEST_TIMEOUT_MS : request_timeout_ms;
}

int rpyc_timeout(const rpyc_conn *conn)
{
    return conn->request_timeout_ms;
}

deadline_t rpyc_conn_deadline(const rpyc_conn *conn)
{
    return conn->deadline == DEADLINE_NEVER ? deadline_in(conn->request_timeout_ms)
                                            : conn->deadline;
}

int rpyc_fd(const rpyc_conn *conn)
{
    return conn_fd(conn->conn);
}

/* ---- Serving --------------------------------------------------------------------------------- */

int rpyc_process(rpyc_conn *conn, int timeout_ms, struct rpyc_error *err)
{
    return rpyc_process_some(conn, INT_MAX, timeout_ms, err);
}

int rpyc_process_some(rpyc_conn *conn, int most, int timeout_ms, struct rpyc_error *err)
{
    deadline_t deadline = deadline_in(timeout_ms);
    struct rpyc_error why = RPYC_ERROR_INIT;
    int count = 0, result;
    bool handled;

    do {
        result = conn_process(conn->conn, deadline, &handled, &why);
        count += result > 0 && handled;
        deadline = deadline_in(0); /* do not wait for further messages */
    } while (result > 0 && handled && count < most);
    if (result > 0)
        return count;
    if (result < 0 && (why.code == RPYC_ETIMEOUT || why.code == RPYC_EINTERRUPT))
        return count;
    if (result == 0)
        return error_set(err, RPYC_ECLOSED, "the connection is closed");
    if (err)
        *err = why; /* copies sys_errno, too; `why` owns no memory */
    return -1;
}

int rpyc_serve(rpyc_conn *conn, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    if (conn_serve(conn->conn, &why) == 0)
        return 0;
    if (err)
        *err = why;
    return -1;
}
