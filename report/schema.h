/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tables of the members of each struct in report.h. The codec and JSON use these tables, so a new
 * fact needs only a member in report.h and a row in schema.c.
 */
#ifndef REPORT_SCHEMA_H
#define REPORT_SCHEMA_H

#include "report.h"

enum field_kind {
    FIELD_TEXT,   /* struct report_text */
    FIELD_INT,    /* int64_t */
    FIELD_FLOAT,  /* double */
    FIELD_ENUM,   /* int: an index into `words`; 0: unknown */
    FIELD_BOOL,   /* int: a value of enum report_bool; 0: unknown */
    FIELD_STRUCT, /* a pointer to a struct of schema `of`, or NULL */
    FIELD_LIST,   /* REPORT_LIST of structs of schema `of` */
    FIELD_MAP,    /* report_pairs: an object in JSON */
    FIELD_TEXTS,  /* report_texts */
    FIELD_INTS    /* report_ints */
};

struct field {
    const char *name; /* the member's name in JSON */
    enum field_kind kind;
    size_t offset;
    const struct schema *of;
    const char *const *words; /* the words for the values of an enum. words[0] is not used; NULL is
                               * at the end */
};

struct schema {
    const char *name; /* for error messages */
    size_t size;
    const struct field
        *fields; /* in the order in which the codec writes them: add new members at the end */
    size_t count;
};

extern const struct schema schema_process, schema_report, schema_thread, schema_task, schema_frame,
    schema_missing, schema_gil, schema_finding, schema_merged, schema_syscall, schema_signal,
    schema_wait, schema_hold, schema_local, schema_since, schema_object, schema_target,
    schema_watched, schema_other;

/* A REPORT_LIST of any type. */
struct any_list {
    void *items;
    size_t count;
};

/* Sets all members of a struct to unknown. The caller must have filled the struct with zeros. */
void schema_init(const struct schema *schema, void *item);

/* Allocates an array of structs in which everything is unknown. Returns NULL in the same cases as
 * arena_array. */
void *schema_make(struct arena *a, const struct schema *schema, size_t count);

/* Return a pointer to the member that a field describes, in the struct at `base`. */
static inline void *field_at(const struct field *f, void *base)
{
    return (char *)base + f->offset;
}

static inline const void *field_of(const struct field *f, const void *base)
{
    return (const char *)base + f->offset;
}

/* field_word returns the word for a value of an enum, or NULL if the value is unknown. field_value
 * returns the value for a word, or 0 if no value has this word. */
const char *field_word(const struct field *f, int value);
int field_value(const struct field *f, const char *word, size_t len);

#endif
