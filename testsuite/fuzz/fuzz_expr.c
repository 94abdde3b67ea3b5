/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: a line typed at the prompt of the client. The parsed chain must be complete.
 */
#include "fuzz.h"

#include "eval/expr.h"

static void check(const struct expr *e);

static void check_parts(const struct expr *e)
{
    const struct expr *part;

    STAILQ_FOREACH (part, &e->parts, next) {
        must(!part->keyword || e->kind == EXPR_CALL);
        check(part);
    }
}

static void check(const struct expr *e)
{
    const struct expr *first = STAILQ_FIRST(&e->parts);

    must((e->kind == EXPR_LITERAL) == (e->value != NULL));
    must((e->kind == EXPR_NAME || e->kind == EXPR_ATTRIBUTE) == (e->name != NULL));
    must((e->kind == EXPR_ATTRIBUTE || e->kind == EXPR_ITEM || e->kind == EXPR_CALL) ==
         (e->object != NULL));
    must(e->kind != EXPR_ITEM || (first && !STAILQ_NEXT(first, next)));
    if (e->value)
        look_at(e->value);
    if (e->object)
        check(e->object);
    check_parts(e);
}

static void check_statement(const struct statement *s)
{
    must((s->kind == STATEMENT_IMPORT) == (s->module != NULL));
    must((s->kind == STATEMENT_ASSIGN || s->kind == STATEMENT_DELETE) == (s->target != NULL));
    must((s->kind == STATEMENT_ASSIGN || s->kind == STATEMENT_VALUE) == (s->value != NULL));
    if (s->target)
        check(s->target);
    if (!s->value)
        return;
    check(s->value);
    must(!expr_needs_caller(s->value) || expr_has_call(s->value));
    expr_is_chain(s->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *source = strndup((const char *)data, size);
    struct statement s;

    must(source);
    if (statement_parse(&s, source) == PARSE_OK)
        check_statement(&s);
    statement_free(&s);
    free(source);
    return 0;
}
