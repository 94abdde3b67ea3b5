/* SPDX-License-Identifier: BSD-3-Clause
 *
 * expr: parses the Python that the client evaluates itself, into a tree:
 *
 *   - chains: names, attributes, items, and calls whose arguments are literals or chains
 *   - the statements that the client can execute with netrefs
 *
 * Refuses all other Python, and text that could have another meaning in Python.
 */
#ifndef CLIENT_EVAL_EXPR_H
#define CLIENT_EVAL_EXPR_H

#include <rpyc.h>

#include "queue.h"

/* The kinds of nodes of the tree. Each comment names the members of struct expr that are used. */
enum expr_kind {
    EXPR_LITERAL,   /* value */
    EXPR_NAME,      /* name: the name */
    EXPR_ATTRIBUTE, /* object.name */
    EXPR_ITEM,      /* object[parts]; there is one part */
    EXPR_CALL,      /* object(parts); parts with a keyword are the keyword arguments */
    EXPR_TUPLE,     /* parts: the items, also in a list and a set */
    EXPR_LIST,
    EXPR_SET,
    EXPR_DICT, /* parts: key, value, key, value, ... */
    EXPR_SLICE /* parts: start, stop, step */
};

STAILQ_HEAD(expr_list, expr);

struct expr {
    enum expr_kind kind;
    rpyc_value *value;
    char *name;
    struct expr *object; /* the object whose attribute, item or call this is; else NULL */
    struct expr_list parts;
    STAILQ_ENTRY(expr) next; /* the next part of the node that has this one in `parts` */
    char *keyword;           /* the keyword of an argument, or NULL */
};

/* The kinds of statements. Each comment names the members of struct statement that are used. */
enum statement_kind {
    STATEMENT_VALUE,  /* value */
    STATEMENT_ASSIGN, /* target = value */
    STATEMENT_DELETE, /* del target */
    STATEMENT_IMPORT  /* import module as name; name is NULL if there is no "as" */
};

struct statement {
    enum statement_kind kind;
    struct expr *target; /* a name, an attribute or an item */
    struct expr *value;
    char *module;
    char *name;
    bool quiet; /* the statement ends with a semicolon, so its value is not shown */
};

enum parse_result {
    PARSE_OK,
    PARSE_NOTHING,    /* only blanks and comments */
    PARSE_INCOMPLETE, /* the text ends inside brackets */
    PARSE_OTHER       /* Python that is not parsed here, or out of memory */
};

/* Parses one statement. The statement must begin in the first column. Always free *out with
 * statement_free. */
enum parse_result statement_parse(struct statement *out, const char *source);
void statement_free(struct statement *statement);

/* True if the expression is a name, an attribute, an item or a call. */
bool expr_is_chain(const struct expr *expr);

/* True if the expression contains a call. */
bool expr_has_call(const struct expr *expr);

/* True if the expression calls a builtin that needs the frame of its caller, such as locals(), or
 * the cell's streams, such as print(). Such an expression must run as a cell. */
bool expr_needs_caller(const struct expr *expr);

#endif
