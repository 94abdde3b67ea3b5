/* SPDX-License-Identifier: BSD-3-Clause */
#include "link.h"

struct link link_configured(const struct conn_config *config, int request_timeout_ms)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;
    struct link l;

    stream_open(&s, peer_open(&l.peer));
    assert_ok(rpyc_conn_new(&l.conn, &s, &handlers, config, false, request_timeout_ms, &err), &err);
    return l;
}

struct link link_open(int request_timeout_ms)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6};

    return link_configured(&config, request_timeout_ms);
}

void link_close(struct link *l)
{
    peer_close(&l->peer);
    rpyc_close(l->conn);
}

rpyc_value *unbox(struct link *l, const char *hex)
{
    AUTO_BYTES box = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;
    rpyc_value *v;

    brine_read(&r, box.data, box.len);
    v = box_read_value(l->conn, &r, &err);
    if (!v)
        fail_msg("%s: %s", hex, err.text);
    assert_true(brine_at_end(&r));
    return v;
}

void assert_unbox_fails(struct link *l, const char *hex, enum rpyc_errcode code, const char *text)
{
    AUTO_BYTES box = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;

    brine_read(&r, box.data, box.len);
    assert_null(box_read_value(l->conn, &r, &err));
    assert_error(&err, code, text);
}

rpyc_value *read_value(const char *hex)
{
    AUTO_BYTES brine = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;
    rpyc_value *v;

    brine_read(&r, brine.data, brine.len);
    v = value_read(&r, &err);
    if (!v)
        fail_msg("%s: %s", hex, err.text);
    assert_true(brine_at_end(&r));
    return v;
}

void assert_read_fails(const char *hex, enum rpyc_errcode code, const char *text)
{
    AUTO_BYTES brine = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;

    brine_read(&r, brine.data, brine.len);
    assert_null(value_read(&r, &err));
    assert_error(&err, code, text);
}

void flush(struct link *l, int seq)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char reply[32];

    snprintf(reply, sizeof(reply), "0211 %02x 1151 01", seq + 0x50);
    say(&l->peer, reply);
    assert_ok(rpyc_ping(l->conn, "", 0, &err), &err);
}

int fetch_root(rpyc_conn *conn, struct rpyc_error *err)
{
    const struct rpyc_options options = {0};

    return classic_ask_root(conn, &options, err) < 0
               ? -1
               : classic_take_root(conn, rpyc_conn_deadline(conn), err);
}

struct link link_with_root(void)
{
    struct link l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1154" ROOT);
    assert_ok(fetch_root(l.conn, &err), &err);
    hears(&l.peer, "011150 1153 115102");
    return l;
}

void say_reply(struct link *l, int seq, const char *box)
{
    char payload[256];

    snprintf(payload, sizeof(payload), "0211 %02x %s", seq + 0x50, box);
    say(&l->peer, payload);
}

void say_builtin(struct link *l, const char *result)
{
    say_reply(l, 1, "1154" LIST);
    say_reply(l, 2, "1154" DICT);
    say_reply(l, 3, NONE);
    say_reply(l, 4, result);
}

void hears_builtin(struct link *l, const char *name, const char *arguments)
{
    char frame[512];

    hears(&l->peer, "011151 1158 1152 12 1153" ROOT
                    "1151 080e09 6765746d6f64756c65 1151 10 080e08 6275696c74696e73");
    snprintf(frame, sizeof(frame), "011152 1154 1152 11 1153" LIST "1151 %s", name);
    hears(&l->peer, frame);
    hears(&l->peer, "011153" DEL(LIST, "51"));
    snprintf(frame, sizeof(frame), "011154 1157 1152 11 1153" DICT "%s", arguments);
    hears(&l->peer, frame);
}
