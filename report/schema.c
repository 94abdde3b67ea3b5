/* SPDX-License-Identifier: BSD-3-Clause */
#include "schema.h"

#include <string.h>

static const char *const certainties[] = {"", "known", "seen", "likely", NULL};
static const char *const sources[] = {"", "server", "self", "pid", "core", "netrefs", NULL};
static const char *const statuses[] = {"", "ok", "stuck", "error", "skipped", NULL};
static const char *const name_origins[] = {"", "threading", "kernel", NULL};
static const char *const states[] = {"", "R", "S", "D", "T", "Z", NULL};
static const char *const gil_states[] = {"", "free", "held", "unknown", "none", NULL};
static const char *const hold_origins[] = {"", "with", "owner", "frame", NULL};
static const char *const holder_statuses[] = {"",      "known",     "free", "not-known",
                                              "ended", "inherited", NULL};

/* A row of a table. The member has the same name in C and in JSON. */
#define MEMBER(type, member_kind, member, more)                                                    \
    {                                                                                              \
        .name = #member, .kind = FIELD_##member_kind,                                              \
        .offset = offsetof(struct report_##type, member), more                                     \
    }
#define TEXT(type, member)       MEMBER(type, TEXT, member, .of = NULL)
#define INT(type, member)        MEMBER(type, INT, member, .of = NULL)
#define FLOAT(type, member)      MEMBER(type, FLOAT, member, .of = NULL)
#define BOOL(type, member)       MEMBER(type, BOOL, member, .of = NULL)
#define ENUM(type, member, list) MEMBER(type, ENUM, member, .words = (list))
#define STRUCT(type, member, to) MEMBER(type, STRUCT, member, .of = &schema_##to)
#define LIST(type, member, to)   MEMBER(type, LIST, member, .of = &schema_##to)
#define MAP(type, member)        MEMBER(type, MAP, member, .of = NULL)
#define TEXTS(type, member)      MEMBER(type, TEXTS, member, .of = NULL)
#define INTS(type, member)       MEMBER(type, INTS, member, .of = NULL)

#define SCHEMA(type)                                                                               \
    {                                                                                              \
        .name = #type, .size = sizeof(struct report_##type), .fields = type##_fields,              \
        .count = sizeof(type##_fields) / sizeof(*type##_fields)                                    \
    }

static const struct field missing_fields[] = {TEXT(missing, what), TEXT(missing, why)};
const struct schema schema_missing = SCHEMA(missing);

static const struct field shortage_fields[] = {
    TEXT(shortage, resource),
    INT(shortage, used),
    INT(shortage, limit),
    TEXT(shortage, detail),
};
static const struct schema schema_shortage = SCHEMA(shortage);

static const struct field gil_fields[] = {
    ENUM(gil, state, gil_states),
    TEXT(gil, holder),
    INT(gil, at_least_ms),
    TEXT(gil, evidence),
};
const struct schema schema_gil = SCHEMA(gil);

static const struct field signal_fields[] = {
    INT(signal, number),  TEXT(signal, name),    INT(signal, native_id),
    TEXT(signal, thread), TEXT(signal, address), INT(signal, sender),
};
const struct schema schema_signal = SCHEMA(signal);

static const struct field local_fields[] = {
    TEXT(local, name),
    TEXT(local, type),
    TEXT(local, text),
    ENUM(local, status, statuses),
};
const struct schema schema_local = SCHEMA(local);

static const struct field frame_fields[] = {
    TEXT(frame, file),     INT(frame, line),       TEXT(frame, function),
    TEXT(frame, qualname), TEXT(frame, source),    ENUM(frame, source_status, statuses),
    INT(frame, column),    INT(frame, end_column), LIST(frame, locals, local),
};
const struct schema schema_frame = SCHEMA(frame);

static const struct field cpu_fields[] = {FLOAT(cpu, percent), INT(cpu, over_ms)};
static const struct schema schema_cpu = SCHEMA(cpu);

static const struct field target_fields[] = {
    TEXT(target, kind),   TEXT(target, path),      TEXT(target, local),
    TEXT(target, remote), TEXT(target, tcp_state), INT(target, peer_pid),
    TEXT(target, wchan),  TEXT(target, mount),     BOOL(target, own_end),
};
const struct schema schema_target = SCHEMA(target);

static const struct field watched_fields[] = {
    INT(watched, fd),
    TEXT(watched, events),
    STRUCT(watched, target, target),
};
const struct schema schema_watched = SCHEMA(watched);

static const struct field syscall_fields[] = {
    TEXT(syscall, name),   INTS(syscall, args),
    INT(syscall, fd),      STRUCT(syscall, target, target),
    INT(syscall, left_ms), LIST(syscall, watched, watched),
};
const struct schema schema_syscall = SCHEMA(syscall);

static const struct field wait_fields[] = {
    TEXT(wait, object), TEXT(wait, kind),  TEXT(wait, words), ENUM(wait, certainty, certainties),
    INT(wait, frame),   BOOL(wait, timed),
};
const struct schema schema_wait = SCHEMA(wait);

static const struct field since_fields[] = {INT(since, frame), TEXT(since, file), INT(since, line)};
const struct schema schema_since = SCHEMA(since);

static const struct field hold_fields[] = {
    TEXT(hold, object),
    STRUCT(hold, since, since),
    ENUM(hold, certainty, certainties),
    ENUM(hold, by, hold_origins),
};
const struct schema schema_hold = SCHEMA(hold);

static const struct field thread_fields[] = {
    TEXT(thread, id),
    INT(thread, ident),
    INT(thread, native_id),
    INT(thread, interpreter),
    TEXT(thread, name),
    ENUM(thread, name_from, name_origins),
    BOOL(thread, daemon),
    BOOL(thread, main),
    TEXT(thread, repr),
    ENUM(thread, repr_status, statuses),
    ENUM(thread, state, states),
    STRUCT(thread, cpu, cpu),
    BOOL(thread, exact),
    INT(thread, unchanged_ms),
    LIST(thread, frames, frame),
    TEXT(thread, stack),
    STRUCT(thread, syscall, syscall),
    STRUCT(thread, waits, wait),
    LIST(thread, holds, hold),
    TEXTS(thread, notes),
    INT(thread, switches),
};
const struct schema schema_thread = SCHEMA(thread);

static const struct field greenlet_fields[] = {
    TEXT(greenlet, id),
    TEXT(greenlet, repr),
    ENUM(greenlet, repr_status, statuses),
    TEXT(greenlet, name),
    TEXT(greenlet, parent),
    TEXT(greenlet, thread),
    LIST(greenlet, frames, frame),
    STRUCT(greenlet, waits, wait),
    TEXTS(greenlet, notes),
    LIST(greenlet, holds, hold),
};
static const struct schema schema_greenlet = SCHEMA(greenlet);

static const struct field task_fields[] = {
    TEXT(task, id),
    TEXT(task, name),
    TEXT(task, loop),
    TEXT(task, state),
    TEXTS(task, awaits),
    STRUCT(task, waits, wait),
    LIST(task, frames, frame),
    TEXTS(task, notes),
    LIST(task, holds, hold),
};
const struct schema schema_task = SCHEMA(task);

static const struct field object_fields[] = {
    TEXT(object, id),    TEXT(object, kind),     TEXT(object, type),
    TEXT(object, words), TEXTS(object, holders), ENUM(object, holder_status, holder_statuses),
    MAP(object, detail),
};
const struct schema schema_object = SCHEMA(object);

static const struct field finding_fields[] = {
    TEXT(finding, kind),      TEXT(finding, text),
    TEXTS(finding, members),  ENUM(finding, certainty, certainties),
    TEXTS(finding, evidence), TEXTS(finding, lines),
};
const struct schema schema_finding = SCHEMA(finding);

static const struct field merged_fields[] = {
    LIST(merged, frames, frame),
    INT(merged, count),
    TEXT(merged, members),
    LIST(merged, children, merged),
};
const struct schema schema_merged = SCHEMA(merged);

static const struct field other_fields[] = {
    TEXT(other, id),
    INT(other, pid),
    TEXT(other, command),
    TEXT(other, python),
    LIST(other, threads, thread),
    LIST(other, objects, object),
};
const struct schema schema_other = SCHEMA(other);

static const struct field process_fields[] = {
    INT(process, schema),
    FLOAT(process, time),
    TEXT(process, tool),
    TEXT(process, id),
    INT(process, pid),
    INT(process, ppid),
    TEXT(process, host),
    TEXT(process, name),
    MAP(process, labels),
    TEXT(process, python),
    TEXTS(process, argv),
    TEXT(process, exe),
    FLOAT(process, started),
    ENUM(process, source, sources),
    LIST(process, missing, missing),
    LIST(process, shortage, shortage),
    STRUCT(process, gil, gil),
    LIST(process, threads, thread),
    LIST(process, greenlets, greenlet),
    LIST(process, tasks, task),
    LIST(process, objects, object),
    LIST(process, findings, finding),
    LIST(process, merged, merged),
    STRUCT(process, signal, signal),
    LIST(process, others, other),
    BOOL(process, exiting),
};
const struct schema schema_process = SCHEMA(process);

static const struct field failure_fields[] = {TEXT(failure, target), TEXT(failure, why)};
static const struct schema schema_failure = SCHEMA(failure);

/* The macros above put "report_" before the name of a struct. This definition makes them work for
 * the struct of the whole report, which is called only `report`. */
#define report_report report
static const struct field report_fields[] = {
    INT(report, schema),
    FLOAT(report, time),
    LIST(report, processes, process),
    LIST(report, merged, merged),
    LIST(report, findings, finding),
    LIST(report, failed, failure),
};
const struct schema schema_report = SCHEMA(report);

void schema_init(const struct schema *schema, void *item)
{
    const struct field *f;

    for (f = schema->fields; f < schema->fields + schema->count; f++) {
        if (f->kind == FIELD_INT)
            *(int64_t *)field_at(f, item) = REPORT_UNKNOWN;
        if (f->kind == FIELD_FLOAT)
            *(double *)field_at(f, item) = NAN;
    }
}

void *schema_make(struct arena *a, const struct schema *schema, size_t count)
{
    char *items = arena_array(a, count, schema->size);
    size_t i;

    for (i = 0; items && i < count; i++)
        schema_init(schema, items + i * schema->size);
    return items;
}

const char *field_word(const struct field *f, int value)
{
    int i;

    if (value <= 0)
        return NULL;
    for (i = 1; i < value && f->words[i]; i++)
        ;
    return f->words[i];
}

int field_value(const struct field *f, const char *word, size_t len)
{
    int i;

    for (i = 1; f->words[i]; i++) {
        if (strlen(f->words[i]) == len && memcmp(f->words[i], word, len) == 0)
            return i;
    }
    return 0;
}
