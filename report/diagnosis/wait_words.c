/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/wait_words.h"

#include <string.h>

#include "diagnosis/actor_words.h"
#include "phrases.h"
#include "diagnosis/place.h"
#include "diagnosis/source_words.h"

/* How waits for a kind of object are described. A part that is an empty string is left out. */
struct kind_words {
    const char *kind;   /* as in report_wait and report_object */
    const char *before; /* "waits for " */
    const char *noun;   /* what to call the object if its type is not known */
    const char *after;
    const char *held; /* what precedes the holders: "held by"; "": they are not named */
    bool is_apparent; /* a hold with CERTAINTY_SEEN is called apparent */
};

static const struct kind_words kinds[] = {
    {"lock", "waits for ", "Lock", "", "held by ", true},
    {"rlock", "waits for ", "RLock", "", "held by ", true},
    {"semlock", "waits for ", "multiprocessing lock", "", "held by ", true},
    {"semaphore", "waits for ", "Semaphore", "", "held by ", true},
    {"flock", "waits for ", "file lock", "", "held by ", true},
    {"buffer", "waits for the lock of ", "BufferedWriter", "", "held by ", true},
    {"condition", "waits for a notification of ", "Condition", "", "", false},
    {"event", "waits for ", "Event", " to be set", "", false},
    {"barrier", "waits at ", "Barrier", "", "", false},
    {"queue", "waits for ", "Queue", "", "", false},
    {"queue-get", "waits for an item in ", "Queue", "", "", false},
    {"queue-put", "waits for room in ", "Queue", "", "", false},
    {"queue-join", "waits until all items of ", "Queue", " are done", "", false},
    {"stream", "waits for data from ", "StreamReader", "", "", false},
    {"future", "waits for the result of ", "Future", "", "computed by ", false},
    {"pool-put", "waits for room in ", "Pool", "", "occupied by ", false},
    {"pool-join", "waits until all greenlets of ", "Pool", " have ended", "", false},
    {"io", "waits for input or output on ", "descriptor", "", "", false},
    {"futures", "waits for a result of ", "set of Futures", "", "", false},
    {"database", "waits for the lock of ", "database", "", "held by ", true},
    {"children", "waits for the end of any of its child processes", "", "", "which are ", false},
    {"workers", "waits for results of worker processes", "", "", "namely ", false},
    {"peers", "waits for input from any of several pipes", "", "", "whose other ends are open in ",
     false},
    {"import", "waits for the import of ", "module", "", "imported by ", false},
};

static const struct kind_words other = {"", "waits for ", "object", "", "", false};

static const struct kind_words *find_kind(struct report_text kind)
{
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (text_is(kind, kinds[i].kind))
            return &kinds[i];
    }
    return &other;
}

/* What is known about a wait. */
struct parts {
    const struct kind_words *words; /* for the kind of the wait, or else of the object */
    const struct report_wait *wait;
    size_t target;                      /* the node that is waited for, or NO_NODE */
    const struct report_object *object; /* NULL: the target is not an object of the report */
};

static struct parts take_apart(const struct wait_graph *g, size_t node)
{
    struct parts p = {.words = &other, .wait = wait_graph_wait(g, node)};

    p.target = wait_graph_find(g, g->nodes[node].process, p.wait->object);
    if (p.target != NO_NODE && g->nodes[p.target].kind == NODE_OBJECT)
        p.object = g->nodes[p.target].item;
    p.words = find_kind(p.wait->kind);
    if (p.words == &other && p.object)
        p.words = find_kind(p.object->kind);
    return p;
}

/* ---- What is waited for ---------------------------------------------------------------------- */

/* True if "an" precedes a name: "an Event", "an RLock". */
static bool takes_an(const struct buffer *name)
{
    return strchr("AEIOUaeiou", name->data[0]) ||
           (name->len >= 5 && memcmp(name->data, "RLock", 5) == 0);
}

/* The module is removed from the name of a class only if the name has at most this many bytes.
 * Without this limit, a malicious report could make the diagnosis read a long name for each waiter.
 */
#define TYPE_MAX 4096

/* Appends the name of a class without its module: "Lock" for "threading.Lock". For a class of
 * asyncio, appends "asyncio." and the name. For a type that is unknown, and for the locks of C code
 * such as "_thread.lock", appends `noun`. */
static void put_type(struct buffer *out, struct report_text type, const char *noun)
{
    size_t start = type.len <= TYPE_MAX ? type.len : 0;

    if (!type.data || type.len == 0 || text_is(type, "_thread.lock") || text_is(type, "lock") ||
        text_is(type, "_multiprocessing.SemLock") || text_is(type, "gevent.thread.LockType") ||
        text_is(type, "threading._RLock") || text_is(type, "set") ||
        text_is(type, "_frozen_importlib._ModuleLock")) {
        sentence_put(out, noun);
        return;
    }
    while (start > 0 && type.data[start - 1] != '.')
        start--;
    if (text_begins(type, "asyncio.") || text_begins(type, "_asyncio."))
        sentence_put(out, "asyncio.");
    sentence_put_text(out, (struct report_text){type.data + start, type.len - start});
}

/* Appends "Lock dst.lock", or "a Lock" if there are no words. */
static void put_noun(struct buffer *out, const struct kind_words *kind, struct report_text type,
                     struct report_text words)
{
    bool has_words = words.data && words.len > 0;
    struct buffer name __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    put_type(&name, type, kind->noun);
    if (name.len == 0)
        sentence_put(&name, kind->noun);
    if (!has_words && name.len > 0)
        sentence_put(out, takes_an(&name) ? "an " : "a ");
    buffer_put(out, name.data, name.len);
    if (has_words) {
        buffer_put_u8(out, ' ');
        sentence_put_text(out, words);
    }
    if (name.failed)
        out->failed = true;
}

/* Appends "SQLite database /srv/shop.db (self.db)". words: the name of the connection or cursor. */
static void put_database(struct buffer *out, const struct report_object *object,
                         struct report_text words)
{
    const struct report_text file = report_detail(object, "file");
    const bool has_words = words.data && words.len > 0;

    sentence_put(out, file.data ? "SQLite database " : "an SQLite database");
    sentence_put_text(out, file);
    if (!has_words)
        return;
    sentence_put(out, " (");
    sentence_put_text(out, words);
    sentence_put(out, ")");
}

/* Appends "Lock dst.lock", or "the RLock of StreamHandler". object: may be NULL. */
static void put_object(struct buffer *out, const struct kind_words *kind,
                       const struct report_object *object, struct report_text words)
{
    const struct report_text unknown = {NULL, 0};
    const struct report_text handler = object ? report_detail(object, "handler") : unknown;

    if (object && text_is(object->kind, "database")) {
        put_database(out, object, words);
        return;
    }
    if (!handler.data) {
        put_noun(out, kind, object ? object->type : unknown, words);
        return;
    }
    sentence_put(out, "the ");
    put_type(out, object->type, kind->noun);
    sentence_put(out, " of ");
    sentence_put_text(out, handler);
}

static struct report_text words_of_object(const struct report_object *object)
{
    if (!object->words.data && text_is(object->kind, "import"))
        return report_detail(object, "module");
    return object->words;
}

struct report_text wait_words_of(const struct wait_graph *g, size_t node)
{
    const struct parts p = take_apart(g, node);
    const report_frames *frames = actor_frames(g, node);
    struct report_text words = p.wait->words;

    if (!words.data && p.object)
        words = words_of_object(p.object);
    if (words.data || !frames || actor_is_moving(g, node) || p.wait->frame < 0 ||
        (uint64_t)p.wait->frame >= frames->count)
        return words;
    return source_words_find(frames->items[p.wait->frame].source, p.wait->kind);
}

void wait_words_put_object(struct buffer *out, const struct report_object *object)
{
    put_object(out, find_kind(object->kind), object, words_of_object(object));
}

/* Appends "process 4711" for the id "4711@db1" of a process about which nothing is known. */
static void put_absent_process(struct buffer *out, struct report_text id)
{
    const char *at = memchr(id.data, '@', id.len);

    sentence_put(out, "process ");
    sentence_put_text(out, (struct report_text){id.data, at ? (size_t)(at - id.data) : id.len});
}

/* Appends "waits for input from a pipe whose other end process 4711 (cat) has", or "writes to a
 * full pipe ...", or "communicates with process 4711 (cat)". */
static void put_peer(struct buffer *out, const struct wait_graph *g, size_t node,
                     const struct parts *p)
{
    const bool is_lock = text_is(p->wait->kind, "file-lock");
    const bool is_end = text_is(p->wait->kind, "input") || text_is(p->wait->kind, "output");

    sentence_put(out, is_lock                            ? "waits for the lock of file "
                      : text_is(p->wait->kind, "input")  ? "waits for input from a "
                      : text_is(p->wait->kind, "output") ? "writes to a full "
                                                         : "communicates with ");
    sentence_put_text(out, p->wait->words);
    sentence_put(out, is_lock ? ", held by " : is_end ? " whose other end " : "");
    if (p->target != NO_NODE)
        actor_put(out, g, p->target, wait_graph_viewer(g, node));
    else
        put_absent_process(out, p->wait->object);
    if (is_end)
        sentence_put(out, " has");
}

/* Appends "waits for the end of thread transfer-0". */
static void put_end(struct buffer *out, const struct wait_graph *g, size_t node,
                    const struct parts *p)
{
    bool is_thread = p->target != NO_NODE ? g->nodes[p->target].kind == NODE_THREAD
                                          : text_is(p->wait->kind, "thread");
    bool is_named;

    sentence_put(out, "waits for the end of ");
    if (p->target == NO_NODE && text_is(p->wait->kind, "process") && p->wait->object.data) {
        put_absent_process(out, p->wait->object);
        return;
    }
    if (p->target == NO_NODE && text_is(p->wait->kind, "greenlet")) {
        sentence_put(out, p->wait->words.data ? "greenlets " : "a greenlet");
        sentence_put_text(out, p->wait->words);
        return;
    }
    if (p->target == NO_NODE) {
        sentence_put(out, is_thread                        ? "a thread"
                          : text_is(p->wait->kind, "task") ? "a task"
                                                           : "a process");
        return;
    }
    is_named = is_thread && ((const struct report_thread *)g->nodes[p->target].item)->name.len > 0;
    if (is_named)
        sentence_put(out, "thread ");
    if (g->nodes[p->target].kind == NODE_TASK &&
        ((const struct report_task *)g->nodes[p->target].item)->name.len > 0)
        sentence_put(out, "task ");
    if (g->nodes[p->target].kind == NODE_GREENLET &&
        ((const struct report_greenlet *)g->nodes[p->target].item)->name.len > 0)
        sentence_put(out, "greenlet ");
    actor_put(out, g, p->target, wait_graph_viewer(g, node));
}

#define AWAITED_SHOWN 3

/* Appends "awaits fetch-1, fetch-2 and 5 others". */
static void put_awaited(struct buffer *out, const struct wait_graph *g, size_t node)
{
    const struct report_task *task = g->nodes[node].item;
    size_t i, put = 0, awaited;

    sentence_put(out, "awaits ");
    for (i = 0; i < task->awaits.count && put < AWAITED_SHOWN; i++) {
        awaited = wait_graph_find(g, g->nodes[node].process, task->awaits.items[i]);
        if (awaited == NO_NODE || g->nodes[awaited].kind != NODE_TASK)
            continue;
        if (put > 0)
            sentence_put(out, put + 1 == task->awaits.count ? " and " : ", ");
        actor_put(out, g, awaited, g->nodes[node].process);
        put++;
    }
    if (put == task->awaits.count)
        return;
    if (put > 0)
        sentence_put(out, " and ");
    sentence_put_number(out, (int64_t)(task->awaits.count - put));
    sentence_put(out, put > 0 ? " other" : " future");
    if (task->awaits.count - put > 1)
        buffer_put_u8(out, 's');
}

/* True if the node is a task that awaits other tasks. */
static bool is_await(const struct wait_graph *g, size_t node)
{
    return g->nodes[node].kind == NODE_TASK &&
           ((const struct report_task *)g->nodes[node].item)->awaits.count > 0;
}

/* True if the wait is for the end of a thread, task or process. */
static bool is_for_end(const struct wait_graph *g, const struct parts *p)
{
    if (p->target != NO_NODE)
        return g->nodes[p->target].kind != NODE_OBJECT;
    return text_is(p->wait->kind, "thread") || text_is(p->wait->kind, "task") ||
           text_is(p->wait->kind, "greenlet") || text_is(p->wait->kind, "process");
}

/* Appends the numbers of a barrier or queue. For a barrier: ", where 2 of 3 threads have arrived".
 * For a queue of which all items must be done: ", of which 1 is not". */
static void put_numbers(struct buffer *out, const struct parts *p)
{
    const struct report_text parties = report_detail(p->object, "parties");
    const struct report_text arrived = report_detail(p->object, "arrived");
    const struct report_text unfinished = report_detail(p->object, "unfinished");

    if (text_is(p->wait->kind, "barrier") && parties.data && arrived.data) {
        sentence_put(out, ", where ");
        sentence_put_text(out, arrived);
        sentence_put(out, " of ");
        sentence_put_text(out, parties);
        sentence_put(out, " threads have arrived");
    } else if (text_is(p->wait->kind, "queue-join") && unfinished.data) {
        sentence_put(out, ", of which ");
        sentence_put_text(out, unfinished);
        sentence_put(out, text_is(unfinished, "1") ? " is not" : " are not");
    }
}

static void put_target(struct buffer *out, const struct wait_graph *g, size_t node,
                       const struct parts *p)
{
    if (p->wait->certainty == CERTAINTY_LIKELY)
        sentence_put(out, "perhaps ");
    if (is_await(g, node)) {
        put_awaited(out, g, node);
        return;
    }
    if (text_is(p->wait->kind, "sleep") || text_is(p->wait->kind, "hub")) {
        sentence_put(out, text_is(p->wait->kind, "sleep") ? "sleeps" : "is ready to run");
        return;
    }
    if (text_is(p->wait->kind, "several")) {
        sentence_put(out, "waits for ");
        sentence_put_text(out, p->wait->words);
        return;
    }
    if (wait_is_for_peer(p->wait) && p->wait->object.data) {
        put_peer(out, g, node, p);
        return;
    }
    if (is_for_end(g, p)) {
        put_end(out, g, node, p);
        return;
    }
    sentence_put(out, p->words->before);
    if (*p->words->noun)
        put_object(out, p->words, p->object, wait_words_of(g, node));
    sentence_put(out, p->words->after);
    if (p->object)
        put_numbers(out, p);
}

void wait_words_put_target(struct buffer *out, const struct wait_graph *g, size_t node)
{
    struct parts p = take_apart(g, node);

    put_target(out, g, node, &p);
}

void wait_words_put_purpose(struct buffer *out, const struct wait_graph *g, size_t node)
{
    struct parts p = take_apart(g, node);
    struct report_text words = wait_words_of(g, node);

    if (p.wait->certainty == CERTAINTY_LIKELY)
        sentence_put(out, "perhaps ");
    sentence_put(out, p.words->before);
    sentence_put(out, "it");
    sentence_put(out, p.words->after);
    if (words.len == 0 || (p.object && text_equals(words, words_of_object(p.object))))
        return;
    sentence_put(out, " (");
    sentence_put_text(out, words);
    sentence_put(out, ")");
}

/* ---- The holders ----------------------------------------------------------------------------- */

#define HOLDERS_SHOWN 3

/* Returns how many of the holders are named. */
static size_t shown_of(const report_texts *holders)
{
    return holders->count <= HOLDERS_SHOWN + 1 ? holders->count : HOLDERS_SHOWN;
}

/* Returns the hold of a holder of the object. index: the index of this holder in the object's list
 * of holders. NULL: the report has no such hold. For example, a file lock has only the list of
 * holders, which the kernel reports. */
static const struct report_hold *hold_of(const struct wait_graph *g, const struct parts *p,
                                         size_t index)
{
    const size_t process = g->nodes[p->target].process;
    const size_t holder = wait_graph_find(g, process, p->object->holders.items[index]);

    return holder != NO_NODE ? wait_graph_hold(g, holder, p->target) : NULL;
}

/* Returns the word that precedes "held by": how certain it is that all named holders hold the
 * object. is_certain: as in wait_words_put. */
static const char *doubt_of(const struct wait_graph *g, const struct parts *p, bool is_certain)
{
    const size_t shown = shown_of(&p->object->holders);
    const bool is_elsewhere = report_detail(p->object, "elsewhere").data;
    const char *doubt = is_elsewhere && !is_certain ? "apparently " : "";
    size_t i;

    for (i = 0; i < shown; i++) {
        const struct report_hold *hold = hold_of(g, p, i);

        if (!hold || hold->certainty == CERTAINTY_KNOWN)
            continue;
        if (hold->certainty != CERTAINTY_SEEN)
            return "perhaps ";
        if (p->words->is_apparent && !is_certain)
            doubt = "apparently ";
    }
    return doubt;
}

/* Appends the names of holders: "a, b, c and 5 others". */
static void put_holders(struct buffer *out, const struct wait_graph *g, size_t process,
                        const report_texts *holders)
{
    size_t shown = shown_of(holders), i;

    for (i = 0; i < shown; i++) {
        if (i > 0)
            sentence_put(out, i + 1 == holders->count ? " and " : ", ");
        actor_put_id(out, g, process, holders->items[i]);
    }
    if (shown == holders->count)
        return;
    sentence_put(out, " and ");
    sentence_put_number(out, (int64_t)(holders->count - shown));
    sentence_put(out, " others");
}

static void put_since(struct buffer *out, const struct report_hold *hold)
{
    if (!hold || !hold->since || !hold->since->file.data)
        return;
    sentence_put(out, " since ");
    place_put_line(out, hold->since->file, hold->since->line);
}

/* Appends "held by transfer-0 since bank.py:7". node: the waiter, or NO_NODE. */
static void put_one_holder(struct buffer *out, const struct wait_graph *g, size_t node,
                           const struct parts *p, bool is_certain)
{
    const size_t process = g->nodes[p->target].process;
    const size_t holder = wait_graph_find(g, process, p->object->holders.items[0]);
    const bool is_known = p->object->holder_status == HOLDER_KNOWN;

    sentence_put(out, is_known ? doubt_of(g, p, is_certain) : "perhaps ");
    sentence_put(out, p->words->held);
    if (holder == node)
        sentence_put(out, "itself");
    else
        actor_put_id(out, g, process, p->object->holders.items[0]);
    if (p->words->is_apparent)
        put_since(out, hold_of(g, p, 0));
}

static void put_several_holders(struct buffer *out, const struct wait_graph *g,
                                const struct parts *p, bool is_certain)
{
    const bool is_known = p->object->holder_status == HOLDER_KNOWN;

    sentence_put(out, is_known ? doubt_of(g, p, is_certain) : "perhaps ");
    sentence_put(out, p->words->held);
    if (!is_known)
        sentence_put(out, "one of ");
    put_holders(out, g, g->nodes[p->target].process, &p->object->holders);
}

void wait_words_put_lost(struct buffer *out, const struct wait_graph *g, size_t object)
{
    const struct report_object *o = g->nodes[object].item;
    struct report_text name = report_detail(o, "holder");

    const bool is_inherited = o->holder_status == HOLDER_INHERITED;

    sentence_put(out, is_inherited ? "apparently inherited by fork from " : "held by ");
    if (name.data && name.len > 0)
        sentence_put_text(out, name);
    else if (o->holders.count > 0)
        actor_put_id(out, g, g->nodes[object].process, o->holders.items[0]);
    else
        sentence_put(out, "a thread");
    sentence_put(out, is_inherited ? " of the parent process" : ", which has ended");
}

/* Appends that a future is queued in a pool, and the names of the pool's threads, which are all
 * busy. executor: the type of the pool. */
static void put_queued(struct buffer *out, const struct wait_graph *g, size_t node,
                       const struct parts *p, struct report_text executor)
{
    const report_texts *holders = &p->object->holders;
    const size_t process = g->nodes[p->target].process;
    const size_t first = wait_graph_find(g, process, holders->items[0]);

    sentence_put(out, "queued in ");
    put_noun(out, &other, executor, (struct report_text){NULL, 0});
    if (holders->count > 1) {
        sentence_put(out, " whose threads are all busy: ");
        put_holders(out, g, process, holders);
    } else if (first == node) {
        sentence_put(out, " whose only thread this is");
    } else {
        sentence_put(out, " whose only thread is ");
        actor_put_id(out, g, process, holders->items[0]);
    }
}

/* Appends the worker processes of a multiprocessing.Pool or ProcessPoolExecutor, one of which
 * computes a result. */
static void put_workers(struct buffer *out, const struct wait_graph *g, const struct parts *p)
{
    static const struct report_text pool = {"Pool", 4};
    const report_texts *holders = &p->object->holders;

    sentence_put(out, "computed in a ");
    sentence_put_text(out, text_or(report_detail(p->object, "executor"), pool));
    sentence_put(out, holders->count == 1 ? " whose only worker is " : " with the workers ");
    put_holders(out, g, g->nodes[p->target].process, holders);
}

/* Appends who holds the object, that it is free, or that the holder is not known. Appends nothing
 * for a future that has no holder, unless the future is pending. */
static void put_holding(struct buffer *out, const struct wait_graph *g, size_t node,
                        const struct parts *p, bool is_certain)
{
    const struct report_object *o = p->object;
    const struct report_text executor = report_detail(o, "queued");

    if (o->holder_status == HOLDER_ENDED || o->holder_status == HOLDER_INHERITED) {
        if (o->holder_status == HOLDER_ENDED && !g->nodes[p->target].is_lost)
            sentence_put(out, "apparently ");
        wait_words_put_lost(out, g, p->target);
        if (g->nodes[p->target].is_lost)
            sentence_put(out, ": no living thread can release it");
    } else if (o->holder_status == HOLDER_FREE) {
        sentence_put(out, "free now");
    } else if (o->holders.count == 0 && text_is(o->kind, "future")) {
        if (text_is(report_detail(o, "state"), "PENDING"))
            sentence_put(out, "which no thread has begun to compute");
    } else if (report_detail(o, "own").data) {
        sentence_put(out, "held by a connection of the same process");
    } else if (o->holders.count == 0 && !text_is(o->kind, "workers")) {
        sentence_put(out, "holder not known");
        if (report_detail(o, "forked").data)
            sentence_put(out, ", perhaps a thread of the parent process at the time of the fork");
    } else if (o->holders.count == 0) {
        return; /* an executor without tasks */
    } else if (report_detail(o, "workers").data) {
        put_workers(out, g, p);
    } else if (executor.data) {
        put_queued(out, g, node, p, executor);
    } else if (o->holders.count == 1) {
        put_one_holder(out, g, node, p, is_certain);
    } else {
        put_several_holders(out, g, p, is_certain);
    }
}

void wait_words_put(struct buffer *out, const struct wait_graph *g, size_t node, bool is_certain)
{
    struct buffer holding __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct parts p = take_apart(g, node);

    put_target(out, g, node, &p);
    if (p.object && *p.words->held)
        put_holding(&holding, g, node, &p, is_certain);
    if (holding.len > 0)
        sentence_put(out, p.object->holder_status == HOLDER_FREE ? ", which is " : ", ");
    buffer_put(out, holding.data, holding.len);
    if (holding.failed)
        out->failed = true;
}

void wait_words_put_holders(struct buffer *out, const struct wait_graph *g, size_t object,
                            bool is_certain)
{
    const struct report_object *o = g->nodes[object].item;
    const struct parts p = {.words = find_kind(o->kind), .target = object, .object = o};

    if (*p.words->held)
        put_holding(out, g, NO_NODE, &p, is_certain);
}

size_t wait_words_holder(const struct wait_graph *g, size_t node)
{
    struct parts p = take_apart(g, node);
    size_t holder;

    if (p.target == NO_NODE || !p.object)
        return p.target;
    if ((p.object->holder_status != HOLDER_KNOWN && p.object->holder_status != HOLDER_NOT_KNOWN) ||
        p.object->holders.count != 1 || !*p.words->held)
        return NO_NODE;
    holder = wait_graph_find(g, g->nodes[p.target].process, p.object->holders.items[0]);
    return holder == node ? NO_NODE : holder;
}
