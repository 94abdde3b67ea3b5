/* SPDX-License-Identifier: BSD-3-Clause */
#include "host.h"

#include <stdlib.h>

/* ---- What the other side asks of us --------------------------------------------------------- */

/* The stand-ins. Their class names are ones that a stock peer knows, so that it does not INSPECT
 * them. */
static const struct id_pack stand_in_root = {"builtins.object", 15, 1, 1, NULL, 0};
static const struct id_pack stand_in_getmodule = {"builtins.function", 17, 2, 2, NULL, 0};

static int reply_ref(struct conn *c, const struct message *request, const struct id_pack *pack,
                     struct rpyc_error *err)
{
    struct outgoing out;

    conn_reply_begin(c, &out, request, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_REMOTE_REF);
    id_pack_put(&out.buf, pack);
    return conn_send(c, &out, DEADLINE_NEVER, err);
}

static int reply_raw(struct conn *c, const struct message *request, const uint8_t *brine,
                     size_t len, struct rpyc_error *err)
{
    struct outgoing out;

    conn_reply_begin(c, &out, request, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    buffer_put(&out.buf, brine, len);
    return conn_send(c, &out, DEADLINE_NEVER, err);
}

static int reply_none(struct conn *c, const struct message *request, struct rpyc_error *err)
{
    return reply_raw(c, request, (const uint8_t *)"\0", 1, err);
}

static int refuse(struct conn *c, const struct message *request, const char *name, const char *text,
                  struct rpyc_error *err)
{
    return conn_reply_exception(c, request, "builtins", name, text, err);
}

/* Gives back the data of a PING, which has to be a plain value. */
static int serve_ping(struct conn *c, struct message *request, struct rpyc_error *err)
{
    struct brine_reader *r = &request->body;
    const uint8_t *data;
    enum label label;
    size_t len;

    if (!box_next(r, &label))
        return brine_error(r, err);
    if (label == LABEL_VALUE && brine_expect_tuple(r, 1) && brine_skip(r, &data, &len))
        return reply_raw(c, request, data, len, err);
    return refuse(c, request, "TypeError", "a C client is pinged with one plain value", err);
}

/* The name that a GETATTR asks for, NULL if it is not where it should be. */
static bool read_getattr_name(struct brine_reader *r, struct brine_item *name)
{
    const uint8_t *skipped;
    enum label label;
    size_t len;

    return box_next(r, &label) && label == LABEL_TUPLE && brine_expect_tuple(r, 2) &&
           brine_skip(r, &skipped, &len) && box_next(r, &label) && label == LABEL_VALUE &&
           brine_next(r, name) && (name->type == BRINE_STR || name->type == BRINE_BYTES);
}

static bool is_name(const struct brine_item *item, const char *name)
{
    return item->len == strlen(name) && memcmp(item->data, name, item->len) == 0;
}

static int serve_getattr(struct conn *c, struct message *request, struct rpyc_error *err)
{
    struct brine_item name;

    if (!read_getattr_name(&request->body, &name))
        return refuse(c, request, "TypeError", "not a request for an attribute", err);
    if (is_name(&name, "getmodule"))
        return reply_ref(c, request, &stand_in_getmodule, err);
    if (is_name(&name, "eval") || is_name(&name, "execute") || is_name(&name, "namespace"))
        return reply_none(c, request, err);
    return refuse(c, request, "AttributeError", "a C client has no such attribute", err);
}

/* While the generation is a guess, the first request of the peer tells that it was wrong: the peer
 * would not understand an answer to what it never got. */
static bool guessed_wrong(const rpyc_conn *conn)
{
    const struct envelope *env = conn_envelope(conn->conn);

    return conn->guessing && (env->generation != RPYC_GENERATION_6 || env->bound);
}

static int serve(void *host, struct conn *c, struct message *request, int64_t handler,
                 struct rpyc_error *err)
{
    if (guessed_wrong(host))
        return error_set(err, RPYC_ECLOSED, "the peer is of another generation of rpyc");
    switch (handler) {
    case HANDLE_PING:
        return serve_ping(c, request, err);
    case HANDLE_GETROOT:
        return reply_ref(c, request, &stand_in_root, err);
    case HANDLE_GETATTR:
        return serve_getattr(c, request, err);
    case HANDLE_CALL: /* of getmodule: there is nothing else to call */
    case HANDLE_DEL:
        return reply_none(c, request, err);
    default:
        return refuse(c, request, "PermissionError", "a C client serves no such request", err);
    }
}

static const struct conn_host value_host = {.serve = serve};

/* ---- Connections ---------------------------------------------------------------------------- */

int rpyc_conn_new(rpyc_conn **out, const struct stream *stream, const struct conn_config *config,
                  bool guessing, int request_timeout_ms, struct rpyc_error *err)
{
    rpyc_conn *conn = calloc(1, sizeof(*conn));
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
    if (conn_new(&conn->conn, &taken, &value_host, conn, config, err) < 0) {
        rpyc_conn_unref(conn);
        return -1;
    }
    *out = conn;
    return 0;
}

void rpyc_close(rpyc_conn *conn)
{
    rpyc_value *root;

    if (!conn)
        return;
    conn_goodbye(conn->conn);
    conn_release(conn->conn);
    root = conn->root;
    conn->root = NULL;
    rpyc_unref(root);
    rpyc_conn_unref(conn);
}

enum rpyc_generation rpyc_conn_generation(const rpyc_conn *conn)
{
    return conn_envelope(conn->conn)->generation;
}
