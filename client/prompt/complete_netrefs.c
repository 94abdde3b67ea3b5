/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/complete_netrefs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"

#define CLEAN_STATEMENT __attribute__((cleanup(statement_free)))

/* The time limit of each request, in ms. */
#define PATIENCE_MS 400

/* ---- Candidates ------------------------------------------------------------------------------ */

/* A search: names that begin with this prefix are added to out. */
struct wanted {
    const char *prefix;
    size_t len;
    struct completions *out;
};

/* Adds a name if it begins with the prefix. If the prefix is empty, leaves out names that begin
 * with an underscore. */
static void add(void *arg, const char *name)
{
    const struct wanted *w = arg;

    if (strncmp(name, w->prefix, w->len) == 0 && (w->len > 0 || name[0] != '_'))
        completions_add(w->out, name);
}

static void add_all(struct wanted *w, rpyc_value *names)
{
    size_t i;

    for (i = 0; i < rpyc_length(names); i++)
        if (rpyc_str(rpyc_item(names, i), NULL))
            add(w, rpyc_str(rpyc_item(names, i), NULL));
}

/* ---- Names, attributes, modules -------------------------------------------------------------- */

static int add_names(const struct complete_netrefs *s, struct wanted *w, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *builtins = NULL;
    CLEAN_VALUE rpyc_value *names = NULL;

    proxies_names(s->proxies, add, w);
    if (rpyc_module(s->conn, "builtins", &builtins, err) < 0 || rpyc_dir(builtins, &names, err) < 0)
        return -1;
    add_all(w, names);
    return 0;
}

/* Adds the names of the top-level modules that the program has imported. */
static int add_modules(const struct complete_netrefs *s, struct wanted *w, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *sys = NULL;
    CLEAN_VALUE rpyc_value *modules = NULL;
    CLEAN_VALUE rpyc_value *tuple = NULL;
    CLEAN_VALUE rpyc_value *names = NULL;
    size_t i;

    if (rpyc_module(s->conn, "sys", &sys, err) < 0 ||
        rpyc_getattr(sys, "modules", &modules, err) < 0 ||
        rpyc_builtin(s->conn, "tuple", &tuple, err) < 0 ||
        rpyc_call(tuple, &names, err, "O", modules) < 0)
        return -1;
    for (i = 0; i < rpyc_length(names); i++) {
        const char *name = rpyc_str(rpyc_item(names, i), NULL);

        if (name && !strchr(name, '.'))
            add(w, name);
    }
    return 0;
}

static int add_attributes(const struct complete_netrefs *s, struct wanted *w,
                          const struct expr *expr, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *object = NULL;
    CLEAN_VALUE rpyc_value *names = NULL;

    if (expr->kind == EXPR_NAME && strcmp(expr->name, "modules") == 0)
        return add_modules(s, w, err);
    if (proxies_look(s->proxies, expr, &object, err) < 0 || rpyc_type_of(object) != RPYC_NETREF ||
        rpyc_dir(object, &names, err) < 0)
        return -1;
    add_all(w, names);
    return 0;
}

/* ---- The text before the cursor -------------------------------------------------------------- */

/* Returns the index at which the identifier at the end of text begins. */
static size_t prefix_start(const char *text)
{
    size_t at = strlen(text);

    while (at > 0 && (isalnum((unsigned char)text[at - 1]) || text[at - 1] == '_'))
        at--;
    return at;
}

/* Parses the longest chain that ends at the end of text. Returns false if there is no such chain.
 */
static bool parse_end(struct statement *out, const char *text)
{
    for (; *text; text++) {
        if (statement_parse(out, text) == PARSE_OK && out->kind == STATEMENT_VALUE &&
            expr_is_chain(out->value))
            return true;
        statement_free(out);
        *out = (struct statement){0};
    }
    return false;
}

/* Finds candidates for text. text ends with w->prefix. */
static int find(const struct complete_netrefs *s, const char *text, struct wanted *w,
                struct rpyc_error *err)
{
    CLEAN_STATEMENT struct statement chain = {0};
    size_t before = (size_t)(w->prefix - text);
    char *object;
    bool parsed;

    if (before > 0 && text[before - 1] == '.') {
        object = strndup(text, before - 1);
        parsed = object && parse_end(&chain, object);
        free(object);
        return parsed ? add_attributes(s, w, chain.value, err) : 0;
    }
    if (before >= 9 && strncmp(w->prefix - 9, "modules['", 9) == 0) {
        w->out->ending = strdup("']");
        return add_modules(s, w, err);
    }
    if (before > 0 && strchr("'\"", text[before - 1]))
        return 0;
    return add_names(s, w, err);
}

int complete_netrefs_find(const void *arg, const char *text, const char *rest,
                          struct completions *out, struct rpyc_error *err)
{
    const struct complete_netrefs *s = arg;
    CLEAN_ERROR struct rpyc_error why = RPYC_ERROR_INIT;
    struct wanted w = {.out = out};
    int timeout = rpyc_timeout(s->conn);

    (void)rest;
    w.prefix = text + prefix_start(text);
    w.len = strlen(w.prefix);
    out->typed = w.len;
    rpyc_set_timeout(s->conn, PATIENCE_MS);
    find(s, text, &w, &why);
    rpyc_set_timeout(s->conn, timeout);
    if (!rpyc_error_is_fatal(&why))
        return 0;
    *err = why; /* err owns the memory of `why` now */
    why = (struct rpyc_error)RPYC_ERROR_INIT;
    return -1;
}
