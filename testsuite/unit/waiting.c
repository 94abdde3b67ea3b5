/* SPDX-License-Identifier: BSD-3-Clause */
#include "waiting.h"

#include <stdio.h>

#include "diagnosis/diagnose.h"
#include "schema.h"

struct waiting waiting_make(void)
{
    struct waiting w;

    report_init(&w.r, 0);
    w.p = report_add_process(&w.r);
    w.p->threads.items = schema_make(&w.r.arena, &schema_thread, WAITING_MAX);
    w.p->objects.items = schema_make(&w.r.arena, &schema_object, WAITING_MAX);
    return w;
}

void waiting_free(struct waiting *w)
{
    report_free(&w->r);
}

static struct report_text joined(struct waiting *w, const char *prefix, const char *name)
{
    char text[100];

    snprintf(text, sizeof(text), "%s%s", prefix, name);
    return report_text(&w->r, text, strlen(text));
}

static void set_line(struct waiting *w, struct report_thread *t, int64_t line)
{
    if (!t->frames.items) {
        t->frames.items = schema_make(&w->r.arena, &schema_frame, 1);
        t->frames.count = 1;
        t->frames.items[0].file = literal("/srv/app/bank.py");
        t->frames.items[0].function = literal("transfer");
    }
    t->frames.items[0].line = line;
}

struct report_thread *thread_of(struct waiting *w, const char *name)
{
    struct report_thread *t;
    size_t i;

    for (i = 0; i < w->p->threads.count; i++) {
        if (is_text(w->p->threads.items[i].name, name))
            return &w->p->threads.items[i];
    }
    assert_true(i < WAITING_MAX);
    t = &w->p->threads.items[w->p->threads.count++];
    t->id = joined(w, "thread:", name);
    t->name = literal(name);
    t->native_id = (int64_t)i;
    t->exact = BOOL_TRUE;
    t->holds.items = schema_make(&w->r.arena, &schema_hold, WAITING_MAX);
    set_line(w, t, 1);
    return t;
}

void set_stack(struct waiting *w, struct report_thread *t, const char *const (*calls)[2],
               size_t count)
{
    size_t i;

    t->frames.items = schema_make(&w->r.arena, &schema_frame, count);
    t->frames.count = count;
    for (i = 0; i < count; i++) {
        t->frames.items[i].file = literal(calls[i][0]);
        t->frames.items[i].function = literal(calls[i][1]);
        t->frames.items[i].line = (int64_t)i + 1;
    }
}

struct report_object *object_of(struct waiting *w, const char *name)
{
    struct report_object *o;
    size_t i;

    for (i = 0; i < w->p->objects.count; i++) {
        if (is_text(w->p->objects.items[i].words, name))
            return &w->p->objects.items[i];
    }
    assert_true(i < WAITING_MAX);
    o = &w->p->objects.items[w->p->objects.count++];
    o->id = joined(w, "obj:", name);
    o->words = literal(name);
    o->kind = literal("lock");
    o->type = literal("_thread.lock");
    o->holders.items = arena_array(&w->r.arena, WAITING_MAX, sizeof(*o->holders.items));
    o->holder_status = HOLDER_NOT_KNOWN;
    return o;
}

struct report_hold *hold(struct waiting *w, const char *thread, const char *object, int64_t line)
{
    struct report_thread *t = thread_of(w, thread);
    struct report_object *o = object_of(w, object);
    struct report_hold *h = &t->holds.items[t->holds.count++];

    h->object = o->id;
    h->certainty = CERTAINTY_SEEN;
    h->by = HOLD_BY_WITH;
    h->since = schema_make(&w->r.arena, &schema_since, 1);
    h->since->file = literal("/srv/app/bank.py");
    h->since->line = line;
    o->holders.items[o->holders.count++] = t->id;
    o->holder_status = o->holders.count == 1 ? HOLDER_KNOWN : HOLDER_NOT_KNOWN;
    return h;
}

struct report_wait *wait_for(struct waiting *w, const char *thread, const char *id, int64_t line)
{
    struct report_thread *t = thread_of(w, thread);
    bool is_end = strncmp(id, "thread:", 7) == 0;

    t->waits = schema_make(&w->r.arena, &schema_wait, 1);
    t->waits->object = is_end ? literal(id) : object_of(w, id)->id;
    t->waits->kind = is_end ? literal("thread") : object_of(w, id)->kind;
    t->waits->certainty = CERTAINTY_SEEN;
    t->waits->frame = 0;
    set_line(w, t, line);
    return t->waits;
}

void conclude(struct waiting *w)
{
    assert_true(diagnose(&w->r, w->p));
}

static void put_line(struct buffer *out, const char *indent, struct report_text line)
{
    assert_non_null(line.data);
    buffer_put(out, indent, strlen(indent));
    buffer_put(out, line.data, line.len);
    buffer_put_u8(out, '\n');
}

static void assert_lines(struct buffer *lines, const char *wanted)
{
    buffer_put_u8(lines, 0);
    assert_string_equal((const char *)lines->data, wanted);
}

void assert_findings(struct waiting *w, const char *wanted)
{
    AUTO_BUFFER lines = BUFFER_INIT;
    size_t i, j;

    conclude(w);
    for (i = 0; i < w->p->findings.count; i++) {
        put_line(&lines, "", w->p->findings.items[i].text);
        for (j = 0; j < w->p->findings.items[i].lines.count; j++)
            put_line(&lines, "  ", w->p->findings.items[i].lines.items[j]);
    }
    assert_lines(&lines, wanted);
}

void assert_notes(struct waiting *w, const char *thread, const char *wanted)
{
    AUTO_BUFFER lines = BUFFER_INIT;
    const report_texts *notes = &thread_of(w, thread)->notes;
    size_t i;

    conclude(w);
    assert_non_null(notes->items);
    for (i = 0; i < notes->count; i++)
        put_line(&lines, "", notes->items[i]);
    assert_lines(&lines, wanted);
}
