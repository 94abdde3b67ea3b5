/* SPDX-License-Identifier: BSD-3-Clause */
#include "local_object.h"

static void to_hex(char *hex, const uint8_t *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

struct pack show(struct link *l, rpyc_value *v)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER b = BUFFER_INIT;
    struct pack pack = {""};

    assert_ok(box_put_value(l->conn, &b, v, &err), &err);
    assert_bytes(b.data, 2, "1154"); /* a reference to an object of the sender */
    assert_true(b.len < sizeof(pack.hex) / 2);
    to_hex(pack.hex, b.data + 2, b.len - 2);
    return pack;
}

struct bytes ask(struct link *l, int handler, const char *format, ...)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char args[1024], request[1100];
    va_list ap;

    va_start(ap, format);
    vsnprintf(args, sizeof(args), format, ap);
    va_end(ap);
    snprintf(request, sizeof(request), "011157 11 %02x %s", handler + 0x50, args);
    say(&l->peer, request);
    if (rpyc_process(l->conn, 10000, &err) != 1)
        fail_msg("%s: %s", request, err.text);
    return next_frame(&l->peer);
}

struct pack pack_in(const struct bytes *answer)
{
    struct pack pack = {""};

    assert_bytes(answer->data, 5, "021157 1154");
    assert_true(answer->len < sizeof(pack.hex) / 2);
    to_hex(pack.hex, answer->data + 5, answer->len - 5);
    return pack;
}

static int thing_getattr(void *self, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    struct thing *t = self;

    if (strcmp(name, "size") == 0)
        return rpyc_build(out, err, "l", t->size);
    if (strcmp(name, "none") == 0)
        return 0;
    return rpyc_raise(err, "AttributeError", "a thing has no %s", name);
}

static int thing_setattr(void *self, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    struct thing *t = self;

    if (t->fails)
        return error_set(err, t->fails, "that failed");
    if (strcmp(name, "size") != 0)
        return rpyc_raise(err, "AttributeError", "a thing has no %s", name);
    t->deleted = !value;
    return value ? rpyc_int64(value, &t->size, err) : 0;
}

static int thing_call(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                      rpyc_value **out, struct rpyc_error *err)
{
    struct thing *t = self;

    t->called++;
    snprintf(t->method, sizeof(t->method), "%s", method ? method : "");
    t->args = rpyc_length(args);
    t->kwargs = rpyc_length(kwargs);
    if (t->args == 1 && rpyc_type_of(rpyc_item(args, 0)) == RPYC_NONE)
        return rpyc_raise(err, "IndexError", "none is %d", 0);
    return rpyc_build(out, err, "OO", args, kwargs);
}

static int thing_str(void *self, rpyc_value **out, struct rpyc_error *err)
{
    (void)self;
    return rpyc_build(out, err, "s", "T");
}

static void thing_destroy(void *self)
{
    ((struct thing *)self)->destroyed++;
}

static const char *const thing_methods[] = {"go", "up", NULL};

const struct rpyc_ops thing_ops = {
    .class_name = "a.Thing",
    .methods = thing_methods,
    .getattr = thing_getattr,
    .setattr = thing_setattr,
    .call = thing_call,
    .str = thing_str,
    .destroy = thing_destroy,
};

const struct rpyc_ops bare_ops = {.class_name = NULL};

rpyc_value *object(const struct rpyc_ops *ops, void *self)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;

    assert_ok(rpyc_object(&v, ops, self, &err), &err);
    return v;
}

rpyc_value *function(rpyc_function_fn f, void *arg)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;

    assert_ok(rpyc_function(&v, f, arg, &err), &err);
    return v;
}

int nothing(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
            struct rpyc_error *err)
{
    (void)arg;
    (void)args;
    (void)kwargs;
    (void)out;
    (void)err;
    return 0;
}

int add(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out, struct rpyc_error *err)
{
    int64_t n;

    assert_int_equal(rpyc_length(kwargs), 0);
    if (rpyc_int64(rpyc_item(args, 0), &n, err) < 0)
        return -1;
    return rpyc_build(out, err, "l", n + *(int *)arg);
}
