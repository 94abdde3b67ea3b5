/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libedit: the functions of the library libedit. They are called through a table, because the
 * library is loaded when a prompt is opened: loading it and the three libraries that it needs takes
 * as long as reading several threads, and most calls of pystuck open no prompt.
 */
#ifndef CLIENT_PROMPT_LIBEDIT_H
#define CLIENT_PROMPT_LIBEDIT_H

#include <histedit.h>
#include <stdbool.h>

#define LIBEDIT_FUNCTIONS(X)                                                                       \
    X(el_cursor)                                                                                   \
    X(el_end)                                                                                      \
    X(el_get)                                                                                      \
    X(el_gets)                                                                                     \
    X(el_init)                                                                                     \
    X(el_insertstr)                                                                                \
    X(el_line)                                                                                     \
    X(el_push)                                                                                     \
    X(el_reset)                                                                                    \
    X(el_resize)                                                                                   \
    X(el_set)                                                                                      \
    X(el_source)                                                                                   \
    X(el_wline)                                                                                    \
    X(el_wset)                                                                                     \
    X(history)                                                                                     \
    X(history_end)                                                                                 \
    X(history_init)

#define LIBEDIT_POINTER(name) __typeof__(name) *name;
struct libedit {
    LIBEDIT_FUNCTIONS(LIBEDIT_POINTER)
};
#undef LIBEDIT_POINTER

/* The functions. They may be called after libedit_load() has returned NULL. */
extern struct libedit libedit;

/* Loads the library, unless this was done before. Returns NULL, or why the library cannot be used.
 */
const char *libedit_load(void);

#endif
