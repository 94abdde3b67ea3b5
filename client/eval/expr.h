/* SPDX-License-Identifier: BSD-3-Clause
 *
 * expr: the part of Python that is evaluated on this side, as a tree: chains of names, attributes,
 * items and calls, whose arguments are literals or such chains; and the statements that netrefs can
 * do. No more of Python than that, and nothing that would mean something else than it does there.
 */
#ifndef CLIENT_EVAL_EXPR_H
#define CLIENT_EVAL_EXPR_H

#include <rpyc.h>

enum expr_kind {
    EXPR_LITERAL,   /* value */
    EXPR_NAME,      /* name */
    EXPR_ATTRIBUTE, /* object.name */
    EXPR_ITEM,      /* object[parts], one part */
    EXPR_CALL,      /* object(parts): those with a name are keywords */
    EXPR_TUPLE,     /* of parts, as are the following */
    EXPR_LIST,
    EXPR_SET,
    EXPR_DICT, /* keys and values in turn */
    EXPR_SLICE /* start, stop, step */
};

struct expr {
    enum expr_kind kind;
    rpyc_value *value;
    char *name;
    struct expr *object; /* what the step is done to */
    struct expr *parts;  /* the first of them, in order */
    struct expr *next;   /* among the parts of another one */
    char *keyword;       /* of an argument, or NULL */
};

enum statement_kind {
    STATEMENT_VALUE,  /* value */
    STATEMENT_ASSIGN, /* target = value */
    STATEMENT_DELETE, /* del target */
    STATEMENT_IMPORT  /* import module as name; the name is NULL where there is none */
};

struct statement {
    enum statement_kind kind;
    struct expr *target; /* a name, an attribute or an item */
    struct expr *value;
    char *module;
    char *name;
    bool quiet; /* it ends with a semicolon: its value is not to be shown */
};

enum parse_result {
    PARSE_OK,
    PARSE_NOTHING,    /* there are blanks and comments alone */
    PARSE_INCOMPLETE, /* a bracket is open */
    PARSE_OTHER       /* it is something else; or out of memory */
};

/* Reads one statement, which begins in the first column. *out is to be given to statement_free
 * whatever comes of it. */
enum parse_result statement_parse(struct statement *out, const char *source);
void statement_free(struct statement *statement);

/* Whether it takes at least one step, or is a name. */
bool expr_is_chain(const struct expr *expr);

/* Whether there is a call in it. */
bool expr_has_call(const struct expr *expr);

/* Whether there is a call in it of a builtin that looks at whoever calls it, such as locals(), or
 * that reads and prints: those are not the same when they are called from elsewhere. */
bool expr_needs_caller(const struct expr *expr);

#endif
