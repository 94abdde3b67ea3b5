/* SPDX-License-Identifier: BSD-3-Clause */
#include "script.h"

#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* ---- Memory ---------------------------------------------------------------------------------- */

struct chunk {
    struct chunk *next;
    max_align_t content[];
};

/* Allocates memory that is freed with the script. */
static void *take(struct script *s, size_t size)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk) + size);

    if (!chunk)
        abort();
    chunk->next = s->memory;
    s->memory = chunk;
    return chunk->content;
}

void script_free(struct script *s)
{
    struct chunk *chunk = s->memory, *next;

    for (; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    s->memory = NULL;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static struct node *new_node(struct script *s, enum brine_type type)
{
    struct node *node = take(s, sizeof(*node));

    node->type = type;
    return node;
}

static struct node *new_container(struct script *s, enum brine_type type, size_t count)
{
    struct node *node = new_node(s, type);

    node->items = take(s, count * sizeof(*node->items));
    node->count = count;
    return node;
}

static bool is_container(const struct node *node)
{
    return node->type == BRINE_TUPLE || node->type == BRINE_FROZENSET || node->type == BRINE_SLICE;
}

static bool has_bytes(const struct node *node)
{
    return node->type == BRINE_BYTES || node->type == BRINE_STR || node->type == BRINE_BIGINT;
}

static struct node *read_node(struct script *s, struct brine_reader *r);

static struct node *read_items(struct script *s, struct brine_reader *r,
                               const struct brine_item *item)
{
    struct node *node = new_container(s, item->type, item->type == BRINE_SLICE ? 3 : item->count);
    size_t i;

    for (i = 0; i < node->count; i++) {
        node->items[i] = read_node(s, r);
        if (!node->items[i])
            return NULL;
    }
    return node;
}

static struct node *read_node(struct script *s, struct brine_reader *r)
{
    struct brine_item item;
    struct node *node;

    if (!brine_next(r, &item))
        return NULL;
    if (item.type == BRINE_TUPLE || item.type == BRINE_FROZENSET || item.type == BRINE_SLICE)
        return read_items(s, r, &item);
    node = new_node(s, item.type);
    if (item.type == BRINE_BOOL) {
        node->boolean = item.boolean;
    } else if (item.type == BRINE_INT) {
        node->integer = item.integer;
    } else if (item.type == BRINE_FLOAT || item.type == BRINE_COMPLEX) {
        node->real = item.real;
        node->imag = item.type == BRINE_COMPLEX ? item.imag : 0;
    } else if (has_bytes(node)) {
        node->data = item.data;
        node->len = item.len;
    }
    return node;
}

static struct node *new_int(struct script *s, int64_t value)
{
    struct node *node = new_node(s, BRINE_INT);

    node->integer = value;
    return node;
}

/* Makes (kind, seq, args) from a kind byte and a pair (seq, args). */
static struct node *with_kind(struct script *s, uint8_t kind, const struct node *pair)
{
    struct node *tree = new_container(s, BRINE_TUPLE, 3);

    tree->items[0] = new_int(s, kind);
    tree->items[1] = pair->items[0];
    tree->items[2] = pair->items[1];
    return tree;
}

static void read_payload(struct script *s, struct step *step)
{
    const uint8_t *data = step->raw;
    size_t len = step->raw_len;
    struct brine_reader r;
    struct node *tree;
    bool newer;

    if (step->how & STEP_RAW || len < 3)
        return;
    step->bound = data[0] == 0 && len > 17;
    if (step->bound) {
        step->threads = (struct thread_pair){load_u64(data), load_u64(data + 8)};
        data += 16;
        len -= 16;
    }
    newer = data[0] >= MESSAGE_REQUEST && data[0] <= MESSAGE_EXCEPTION;
    brine_read(&r, data + newer, len - newer);
    tree = read_node(s, &r);
    if (!tree || !brine_at_end(&r) || tree->type != BRINE_TUPLE || tree->count != 3u - newer)
        return;
    step->generation = newer ? RPYC_GENERATION_6 : RPYC_GENERATION_5;
    step->tree = newer ? with_kind(s, data[0], tree) : tree;
}

bool script_read(struct script *s, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;

    memset(s, 0, sizeof(*s));
    if (size == 0)
        return false;
    s->head = *data++;
    while (s->count < STEPS_MAX && end - data > FRAME_HEADER_SIZE &&
           load_u32(data) < (size_t)(end - data) - FRAME_HEADER_SIZE) {
        struct step *step = &s->steps[s->count++];

        step->raw_len = load_u32(data);
        step->how = data[4];
        step->raw = data + FRAME_HEADER_SIZE;
        step->end = step->raw[step->raw_len];
        read_payload(s, step);
        data = step->raw + step->raw_len + 1;
    }
    s->tail = data;
    s->tail_len = (size_t)(end - data);
    return true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct putting {
    const struct step *step;
    struct buffer *out;
    put_special special;
    void *arg;
};

static void put_node(const struct putting *p, const struct node *node);

static void put_items(const struct putting *p, const struct node *node)
{
    size_t i;

    if (node->type == BRINE_TUPLE)
        brine_put_tuple(p->out, node->count);
    else if (node->type == BRINE_FROZENSET)
        brine_put_frozenset(p->out, node->count);
    else
        brine_put_slice(p->out);
    for (i = 0; i < node->count; i++)
        put_node(p, node->items[i]);
}

static void put_node(const struct putting *p, const struct node *node)
{
    struct buffer *out = p->out;

    if (p->special && p->special(p->arg, p->step, node, out))
        return;
    switch (node->type) {
    case BRINE_NONE:
        brine_put_none(out);
        break;
    case BRINE_BOOL:
        brine_put_bool(out, node->boolean);
        break;
    case BRINE_NOTIMPLEMENTED:
        brine_put_notimplemented(out);
        break;
    case BRINE_ELLIPSIS:
        brine_put_ellipsis(out);
        break;
    case BRINE_INT:
        brine_put_int(out, node->integer);
        break;
    case BRINE_BIGINT:
        brine_put_digits(out, (const char *)node->data, node->len);
        break;
    case BRINE_FLOAT:
        brine_put_float(out, node->real);
        break;
    case BRINE_COMPLEX:
        brine_put_complex(out, node->real, node->imag);
        break;
    case BRINE_BYTES:
        brine_put_bytes(out, node->data, node->len);
        break;
    case BRINE_STR:
        brine_put_str(out, (const char *)node->data, node->len);
        break;
    case BRINE_TUPLE:
    case BRINE_FROZENSET:
    case BRINE_SLICE:
        put_items(p, node);
        break;
    }
}

static bool is_int(const struct node *node, int64_t least, int64_t most)
{
    return node->type == BRINE_INT && node->integer >= least && node->integer <= most;
}

int step_kind(const struct step *step)
{
    if (step->generation == RPYC_GENERATION_AUTO ||
        !is_int(step->tree->items[0], MESSAGE_REQUEST, MESSAGE_EXCEPTION))
        return 0;
    return (int)step->tree->items[0]->integer;
}

const struct node *step_seq(const struct step *step)
{
    return step_kind(step) ? step->tree->items[1] : NULL;
}

const struct node *step_args(const struct step *step)
{
    return step_kind(step) ? step->tree->items[2] : NULL;
}

void step_put(const struct step *step, struct buffer *out, put_special special, void *arg)
{
    struct putting p = {step, out, special, arg};
    const struct node *tree = step->tree;

    if (step->generation == RPYC_GENERATION_AUTO) {
        buffer_put(out, step->raw, step->raw_len);
        return;
    }
    if (step->bound) {
        buffer_put_u64(out, step->threads.sender);
        buffer_put_u64(out, step->threads.recipient);
    }
    if (step->generation == RPYC_GENERATION_5) {
        put_node(&p, tree);
        return;
    }
    buffer_put_u8(out, tree->items[0]->type == BRINE_INT ? (uint8_t)tree->items[0]->integer : 7);
    brine_put_tuple(out, 2);
    put_node(&p, tree->items[1]);
    put_node(&p, tree->items[2]);
}

void script_write(const struct script *s, struct buffer *out)
{
    size_t i, start;

    buffer_put_u8(out, s->head);
    for (i = 0; i < s->count; i++) {
        start = frame_begin(out);
        step_put(&s->steps[i], out, NULL, NULL);
        if (out->failed || frame_end(out, start, false, NULL) < 0)
            return;
        out->data[start + 4] = s->steps[i].how;
        out->data[out->len - 1] = s->steps[i].end;
    }
    buffer_put(out, s->tail, s->tail_len);
}

/* ---- Mutation -------------------------------------------------------------------------------- */

struct mutation {
    struct script *script;
    uint64_t state;
};

static unsigned below(struct mutation *m, size_t n)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return n ? (unsigned)((m->state >> 11) % n) : 0;
}

/* One of the items of an array. */
#define ANY_OF(m, array) ((array)[below(m, sizeof(array) / sizeof(*(array)))])

/* Attribute names of objects of fuzz_server.py and of what users of rpyc ask for. */
static const char *const words[] = {
    "getmodule",
    "eval",
    "execute",
    "namespace",
    "getconn",
    "fuzz",
    "builtins",
    "os.path",
    "importlib.util",
    "operator",
    "Thing",
    "Guarded",
    "Liar",
    "Packed",
    "Classy",
    "Meta",
    "OddError",
    "fail",
    "count",
    "use",
    "catch",
    "wait",
    "later",
    "meanwhile",
    "keep",
    "given",
    "drop",
    "corner",
    "method",
    "value",
    "exposed_method",
    "shown",
    "_private",
    "client_root",
    "ask",
    "ask_later",
    "hidden",
    "conn",
    "big",
    "huge",
    "surrogate",
    "deep",
    "mixed",
    "long",
    "loop",
    "exc",
    "type",
    "module",
    "unknown",
    "view",
    "enum",
    "pair",
    "slots",
    "list",
    "dict",
    "object",
    "str",
    "tuple",
    "append",
    "items",
    "__class__",
    "__doc__",
    "__len__",
    "__getitem__",
    "__setitem__",
    "__getslice__",
    "__call__",
    "__enter__",
    "__exit__",
    "__eq__",
    "__cmp__",
    "__hash__",
    "__iter__",
    "__next__",
    "__repr__",
    "__str__",
    "__dir__",
    "__del__",
    "__name__",
    "__module__",
    "__mro__",
    "__dict__",
    "__bases__",
    "__init__",
    "__new__",
    "____id_pack__",
    "____conn__",
    "__slots__",
    "_rpyc_getattr",
    "_rpyc_setattr",
    "_rpyc_delattr",
    "__instancecheck__",
    "__reduce_ex__",
    "__array__",
    "__getattribute__",
    "__set_name__",
    "__annotations__",
    "__context__",
    "__cause__",
    "__traceback__",
    "args",
    "_remote_tb",
    "serve",
    "poll_all",
    "root",
    "modules",
    "close",
    "closed",
    "_config",
    "_last_traceback",
    "_channel",
    "sync_request",
    "async_request",
    "sync_request_timeout",
    "ping",
    "fileno",
    "ValueError",
    "KeyError",
    "StopIteration",
    "KeyboardInterrupt",
    "SystemExit",
    "1+1",
    "lambda x: x",
    "[1, 2.5]",
    "lambda f: f()",
    "lambda: Thing",
    "type('X', (), {})",
    "x",
    "key",
    "attribute",
};

static const int64_t numbers[] = {
    -1,   0,     1,       2,         3,         4,          5,         7,         16,
    19,   20,    21,      100,       127,       128,        200,       255,       256,
    1000, 65535, 1 << 20, INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN, INT64_MAX - 1,
};

static struct node *new_str(struct script *s, const char *text)
{
    struct node *node = new_node(s, BRINE_STR);

    node->data = (const uint8_t *)text;
    node->len = strlen(text);
    return node;
}

static struct node *new_tuple(struct script *s, size_t count, struct node *const *items)
{
    struct node *node = new_container(s, BRINE_TUPLE, count);

    memcpy(node->items, items, count * sizeof(*items));
    return node;
}

#define TUPLE(s, ...)                                                                              \
    new_tuple(s, sizeof((struct node *[]){__VA_ARGS__}) / sizeof(struct node *),                   \
              (struct node *[]){__VA_ARGS__})

/* Makes a placeholder: ("@", n, 0), see script.h. */
static struct node *new_place(struct mutation *m)
{
    int64_t n = (int64_t)below(m, 6) - 4;

    return TUPLE(m->script, new_str(m->script, "@"), new_int(m->script, n), new_int(m->script, 0));
}

/* An object of the client. */
static struct node *new_own(struct mutation *m)
{
    static const char *const classes[] = {
        "builtins.list", "builtins.function", "some.Class",          "fuzz.Thing",
        "builtins.type", "builtins.dict",     "builtins.ValueError", "fuzz.OddError"};
    struct script *s = m->script;

    return TUPLE(s, new_str(s, ANY_OF(m, classes)), new_int(s, 2000 + below(m, 3)),
                 new_int(s, below(m, 3)));
}

static struct node *new_atom(struct mutation *m)
{
    struct script *s = m->script;
    struct node *node;

    switch (below(m, 12)) {
    case 0:
        return new_node(s, BRINE_NONE);
    case 1:
        node = new_node(s, BRINE_BOOL);
        node->boolean = below(m, 2);
        return node;
    case 2:
        node = new_node(s, BRINE_FLOAT);
        node->real = (double)ANY_OF(m, numbers) / 4;
        return node;
    case 3:
        node = new_str(s, ANY_OF(m, words));
        node->type = BRINE_BYTES;
        node->len = below(m, 1 + (unsigned)node->len);
        return node;
    case 4:
        return new_container(s, BRINE_TUPLE, 0);
    case 5:
        node = new_container(s, BRINE_FROZENSET, 1);
        node->items[0] = new_int(s, 1);
        return node;
    case 6:
        return new_node(s, below(m, 2) ? BRINE_ELLIPSIS : BRINE_NOTIMPLEMENTED);
    case 7:
        node = new_node(s, BRINE_BIGINT);
        node->data = (const uint8_t *)"-99999999999999999999999999";
        node->len = 27;
        return node;
    case 8:
    case 9:
        return new_int(s, ANY_OF(m, numbers));
    default:
        return new_str(s, ANY_OF(m, words));
    }
}

static struct node *boxed(struct mutation *m, enum label label, struct node *value)
{
    return TUPLE(m->script, new_int(m->script, label), value);
}

static struct node *object_box(struct mutation *m)
{
    return boxed(m, LABEL_LOCAL_REF, new_place(m));
}

static struct node *new_box(struct mutation *m)
{
    switch (below(m, 8)) {
    case 0:
    case 1:
    case 2:
        return object_box(m);
    case 3:
    case 4:
        return boxed(m, LABEL_REMOTE_REF, new_own(m));
    case 5:
        return boxed(m, LABEL_TUPLE, TUPLE(m->script, new_box(m), new_box(m)));
    default:
        return boxed(m, LABEL_VALUE, new_atom(m));
    }
}

/* Makes the boxed arguments of a call. */
static struct node *new_arguments(struct mutation *m)
{
    struct node *tuple = new_container(m->script, BRINE_TUPLE, below(m, 4));
    size_t i;

    for (i = 0; i < tuple->count; i++)
        tuple->items[i] = new_box(m);
    return boxed(m, LABEL_TUPLE, tuple);
}

/* Makes one boxed argument of a request, of the kind that its letter names. */
static struct node *new_argument(struct mutation *m, char letter)
{
    struct script *s = m->script;

    switch (letter) {
    case 'o': /* an object of the server */
        return object_box(m);
    case 'n': /* a name */
        return boxed(m, LABEL_VALUE, new_str(s, ANY_OF(m, words)));
    case 'p': /* an id pack by value */
        return boxed(m, LABEL_VALUE, below(m, 4) ? new_place(m) : new_own(m));
    case 'a': /* positional arguments */
        return new_arguments(m);
    case 'k': /* keyword arguments */
        return boxed(m, LABEL_TUPLE,
                     TUPLE(s, boxed(m, LABEL_TUPLE, TUPLE(s, new_argument(m, 'n'), new_box(m)))));
    case 'i': /* a number */
        return boxed(m, LABEL_VALUE, new_int(s, ANY_OF(m, numbers)));
    default: /* anything */
        return new_box(m);
    }
}

/* The arguments of each handler. */
static const char *const takes[] = {
    [HANDLE_PING] = "b",     [HANDLE_CLOSE] = "",           [HANDLE_GETROOT] = "",
    [HANDLE_GETATTR] = "on", [HANDLE_DELATTR] = "on",       [HANDLE_SETATTR] = "onb",
    [HANDLE_CALL] = "oak",   [HANDLE_CALLATTR] = "ona",     [HANDLE_REPR] = "o",
    [HANDLE_STR] = "o",      [HANDLE_CMP] = "obn",          [HANDLE_HASH] = "o",
    [HANDLE_DIR] = "o",      [HANDLE_PICKLE] = "oi",        [HANDLE_DEL] = "oi",
    [HANDLE_INSPECT] = "p",  [HANDLE_BUFFITER] = "oi",      [HANDLE_OLDSLICING] = "onniia",
    [HANDLE_CTXEXIT] = "ob", [HANDLE_INSTANCECHECK] = "op",
};

static struct node *new_request(struct mutation *m)
{
    size_t handler = 1 + below(m, sizeof(takes) / sizeof(*takes) - 1), i;
    size_t count = strlen(takes[handler]);
    struct node *args = new_container(m->script, BRINE_TUPLE, count);

    if (handler == HANDLE_CLOSE && below(m, 8))
        handler = HANDLE_CALLATTR, args = new_container(m->script, BRINE_TUPLE, count = 3);
    for (i = 0; i < count; i++)
        args->items[i] = new_argument(m, takes[handler][i]);
    return TUPLE(
        m->script, new_int(m->script, MESSAGE_REQUEST), new_int(m->script, below(m, 99)),
        TUPLE(m->script, new_int(m->script, (int64_t)handler), boxed(m, LABEL_TUPLE, args)));
}

static struct node *new_exception(struct mutation *m)
{
    static const char *const modules[] = {"builtins", "fuzz", "exceptions", "no.such"};
    struct script *s = m->script;
    struct node *name = TUPLE(s, new_str(s, ANY_OF(m, modules)), new_str(s, ANY_OF(m, words)));
    struct node *attributes = TUPLE(s, TUPLE(s, new_str(s, ANY_OF(m, words)), new_atom(m)));

    return TUPLE(s, name, TUPLE(s, new_atom(m)), attributes, new_str(s, "Traceback\n"));
}

static struct node *new_answer(struct mutation *m)
{
    bool fails = below(m, 3) == 0;
    struct node *args = fails ? new_exception(m) : new_box(m);

    return TUPLE(m->script, new_int(m->script, fails ? MESSAGE_EXCEPTION : MESSAGE_REPLY),
                 new_int(m->script, -1), args);
}

/* Copies a node and all nodes below it: a tree must not contain itself. */
static struct node *copy_of(struct script *s, const struct node *node)
{
    struct node *copy = take(s, sizeof(*copy));
    size_t i;

    *copy = *node;
    if (is_container(node)) {
        copy->items = take(s, node->count * sizeof(*node->items));
        for (i = 0; i < node->count; i++)
            copy->items[i] = copy_of(s, node->items[i]);
    }
    return copy;
}

/* Makes a step that is sent like the others, with a new message. */
static struct step new_step(struct mutation *m)
{
    const struct script *s = m->script;
    struct step step = {.generation = RPYC_GENERATION_6, .end = '\n'};

    if (s->count > 0 && s->steps[0].generation != RPYC_GENERATION_AUTO)
        step = s->steps[below(m, s->count)];
    if (step.generation == RPYC_GENERATION_AUTO)
        step.generation = RPYC_GENERATION_6;
    step.how = (uint8_t)(step.how & STEP_CONNECTION);
    step.tree = below(m, 3) ? new_request(m) : new_answer(m);
    return step;
}

static void insert_step(struct script *s, size_t at, const struct step *step)
{
    if (s->count == STEPS_MAX)
        return;
    memmove(&s->steps[at + 1], &s->steps[at], (s->count - at) * sizeof(*step));
    s->steps[at] = *step;
    if (step->tree)
        s->steps[at].tree = copy_of(s, step->tree);
    s->count++;
}

static void remove_step(struct script *s, size_t at)
{
    s->count--;
    memmove(&s->steps[at], &s->steps[at + 1], (s->count - at) * sizeof(*s->steps));
}

/* ---- ... of trees ---------------------------------------------------------------------------- */

/* A pointer to where a node is stored, so that it can be replaced. */
struct slots {
    struct node **list[4096];
    size_t count;
};

static void add_slots(struct slots *slots, struct node **slot)
{
    size_t i;

    if (slots->count == sizeof(slots->list) / sizeof(*slots->list))
        return;
    slots->list[slots->count++] = slot;
    if (is_container(*slot)) {
        for (i = 0; i < (*slot)->count; i++)
            add_slots(slots, &(*slot)->items[i]);
    }
}

/* Lists the nodes of a step's message, except for its outermost tuple. */
static void find_slots(struct slots *slots, const struct step *step)
{
    slots->count = 0;
    if (step->generation == RPYC_GENERATION_AUTO)
        return;
    add_slots(slots, &step->tree->items[0]);
    add_slots(slots, &step->tree->items[1]);
    add_slots(slots, &step->tree->items[2]);
}

static bool is_box(const struct node *node)
{
    return node->type == BRINE_TUPLE && node->count == 2 &&
           is_int(node->items[0], LABEL_VALUE, LABEL_REMOTE_REF);
}

static struct node *mutate_bytes(struct mutation *m, const struct node *node)
{
    struct node *copy = copy_of(m->script, node);
    size_t len = node->len < 4096 ? node->len : 4096;
    uint8_t *data = take(m->script, len + 16);

    memcpy(data, node->data, len);
    copy->data = data;
    copy->len = LLVMFuzzerMutate(data, len, len + 16);
    if (node->type == BRINE_BIGINT) /* other bytes could not be read back */
        return new_int(m->script, ANY_OF(m, numbers));
    return copy;
}

static struct node *mutate_items(struct mutation *m, const struct node *node)
{
    struct node *copy = new_container(m->script, node->type, node->count + 1);
    size_t at = below(m, node->count);

    if (node->type == BRINE_SLICE || node->count == 0)
        return new_atom(m);
    copy->count = node->count;
    memcpy(copy->items, node->items, node->count * sizeof(*node->items));
    switch (below(m, 4)) {
    case 0:
        copy->count--;
        memmove(&copy->items[at], &copy->items[at + 1], (copy->count - at) * sizeof(*node->items));
        break;
    case 1:
        copy->items[copy->count++] = copy_of(m->script, copy->items[at]);
        break;
    case 2:
        copy->items[copy->count++] = is_box(copy->items[at]) ? new_box(m) : new_atom(m);
        break;
    default:
        copy->items[at] = copy_of(m->script, copy->items[below(m, node->count)]);
    }
    return copy;
}

static struct node *mutate_number(struct mutation *m, const struct node *node)
{
    switch (below(m, 4)) {
    case 0:
        return new_int(m->script, (int64_t)((uint64_t)node->integer + 1));
    case 1:
        return new_int(m->script, (int64_t)((uint64_t)node->integer - 1));
    case 2:
        return new_int(m->script, (int64_t)((uint64_t)node->integer ^ 1ull << below(m, 64)));
    default:
        return new_int(m->script, ANY_OF(m, numbers));
    }
}

static struct node *mutate_node(struct mutation *m, const struct node *node)
{
    if (is_box(node) && below(m, 2))
        return below(m, 4) ? new_box(m) : boxed(m, (enum label)(1 + below(m, 4)), node->items[1]);
    if (below(m, 4) == 0)
        return new_atom(m);
    if (node->type == BRINE_INT)
        return mutate_number(m, node);
    if (node->type == BRINE_STR && below(m, 3))
        return new_str(m->script, ANY_OF(m, words));
    if (has_bytes(node))
        return mutate_bytes(m, node);
    if (is_container(node))
        return mutate_items(m, node);
    return new_atom(m);
}

/* Replaces an argument of one step by an argument of another. */
static void mutate_tree(struct mutation *m, struct step *step)
{
    struct step *other = &m->script->steps[below(m, m->script->count)];
    static struct slots mine, theirs;
    struct node **slot;

    find_slots(&mine, step);
    if (mine.count == 0)
        return;
    slot = mine.list[below(m, mine.count)];
    find_slots(&theirs, other);
    if (below(m, 4) == 0 && theirs.count > 0)
        *slot = copy_of(m->script, *theirs.list[below(m, theirs.count)]);
    else
        *slot = mutate_node(m, *slot);
}

/* ---- ... of steps ---------------------------------------------------------------------------- */

/* Changes the raw bytes of a step. */
static void mutate_raw(struct mutation *m, struct step *step)
{
    struct buffer out = BUFFER_INIT;
    uint8_t *data;

    step_put(step, &out, NULL, NULL);
    data = take(m->script, out.len + 32);
    if (out.len > 0)
        memcpy(data, out.data, out.len);
    step->raw = data;
    step->raw_len = LLVMFuzzerMutate(data, out.len, out.len + 32);
    step->generation = RPYC_GENERATION_AUTO;
    if (below(m, 4) == 0)
        step->how |= STEP_RAW;
    buffer_free(&out);
}

static void mutate_envelope(struct mutation *m, struct step *step)
{
    if (step->generation == RPYC_GENERATION_AUTO)
        return;
    switch (below(m, 4)) {
    case 0:
        step->generation =
            step->generation == RPYC_GENERATION_5 ? RPYC_GENERATION_6 : RPYC_GENERATION_5;
        break;
    case 1:
        step->bound = !step->bound;
        break;
    case 2:
        step->threads.sender = below(m, 3) ? 1000 + below(m, 4) : (uint64_t)ANY_OF(m, numbers);
        break;
    default:
        step->threads.recipient = below(m, 2) ? UINT64_MAX : (uint64_t)ANY_OF(m, numbers);
    }
}

/* Makes the same change in all steps, so that they still match. */
static void mutate_envelopes(struct mutation *m)
{
    bool bound = below(m, 2), newer = below(m, 2);
    size_t i;

    for (i = 0; i < m->script->count; i++) {
        struct step *step = &m->script->steps[i];

        if (step->generation == RPYC_GENERATION_AUTO)
            continue;
        step->generation = newer ? RPYC_GENERATION_6 : RPYC_GENERATION_5;
        step->bound = bound;
        step->threads.sender = 1000 + below(m, 3);
        step->threads.recipient = step_kind(step) == MESSAGE_REQUEST ? 0 : UINT64_MAX;
    }
}

static void mutate_step(struct mutation *m, size_t at)
{
    struct script *s = m->script;
    struct step *step = &s->steps[at], other;

    switch (below(m, 24)) {
    case 0:
        remove_step(s, at);
        break;
    case 1:
        other = *step;
        insert_step(s, below(m, s->count + 1), &other);
        break;
    case 2:
        other = *step;
        remove_step(s, at);
        insert_step(s, below(m, s->count + 1), &other);
        break;
    case 3:
        step->how ^= (uint8_t)(1 << below(m, 5));
        break;
    case 4:
        mutate_envelope(m, step);
        break;
    case 5:
        mutate_raw(m, step);
        break;
    case 6:
        step->end = (uint8_t)below(m, 256);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        other = new_step(m);
        insert_step(s, at + below(m, 2), &other);
        break;
    default:
        mutate_tree(m, step);
    }
}

void script_mutate(struct script *s, unsigned seed)
{
    struct mutation m = {s, seed * 0x9e3779b97f4a7c15ull + 1};
    unsigned i, rounds = 1 + below(&m, 4);
    struct step step;

    for (i = 0; i < rounds; i++) {
        if (s->count == 0) {
            step = new_step(&m);
            insert_step(s, 0, &step);
        } else if (below(&m, 40) == 0) {
            s->head = (uint8_t)below(&m, 256);
        } else if (below(&m, 40) == 0) {
            mutate_envelopes(&m);
        } else {
            mutate_step(&m, below(&m, s->count));
        }
    }
}

void script_cross(struct script *s, const struct script *other, unsigned seed)
{
    struct mutation m = {s, seed * 0x9e3779b97f4a7c15ull + 1};
    size_t from = below(&m, other->count), n = 1 + below(&m, 8), at = below(&m, s->count + 1);

    for (; from < other->count && n > 0; from++, n--)
        insert_step(s, at++, &other->steps[from]);
}
