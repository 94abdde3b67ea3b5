/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: a byte, then the rest of a reply. With bit 0 of the byte it is an exception, else a box.
 */
#include "fuzz.h"

/* The connection that netrefs belong to. Nothing is sent on it, and it is never closed. */
static rpyc_conn *connection(void)
{
    static rpyc_conn *conn;
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    struct stream s;
    int fds[2];

    if (conn)
        return conn;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    stream_open(&s, fds[0]);
    must(rpyc_conn_new(&conn, &s, &handlers, &config, false, 1000, NULL) == 0);
    return conn;
}

static struct message reply_of(const uint8_t *data, size_t size)
{
    struct message m = {.kind = data[0] & 1 ? MESSAGE_EXCEPTION : MESSAGE_REPLY};

    buffer_put(&m.frame.store, data + 1, size - 1);
    m.frame.data = m.frame.store.data;
    m.frame.len = size - 1;
    brine_read(&m.body, m.frame.data, m.frame.len);
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rpyc_conn *conn = connection();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct message reply;
    rpyc_value *v = NULL;
    int result;

    if (size < 2)
        return 0;
    reply = reply_of(data, size);
    result = request_take_reply(conn, &reply, &v, &err);
    must_agree(result, &err);
    must((result == 0) == (v != NULL));
    look_at_error(&err);
    if (v) {
        AUTO_BUFFER out = BUFFER_INIT;

        look_at(v);
        must(box_put_value(conn, &out, v, &err) == 0 || err.code == RPYC_EINVAL);
    }
    rpyc_unref(v);
    must(!conn->netrefs && !conn->locals.tree);
    releases_free(&conn->releases);
    return 0;
}
