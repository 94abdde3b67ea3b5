/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/expr.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 100 /* the most brackets that may be open */

struct parser {
    const char *pos;
    unsigned brackets; /* number of open brackets */
    enum parse_result result;
};

static void free_expr(struct expr *e)
{
    struct expr *part;

    if (!e)
        return;
    while ((part = STAILQ_FIRST(&e->parts))) {
        STAILQ_REMOVE_HEAD(&e->parts, next);
        free_expr(part);
    }
    rpyc_unref(e->value);
    free(e->name);
    free(e->keyword);
    free_expr(e->object);
    free(e);
}

/* Frees e. If the parser's result is still PARSE_OK, changes the result. It becomes
 * PARSE_INCOMPLETE if the text ends here and a bracket is open, else PARSE_OTHER. Returns NULL. */
static struct expr *give_up(struct parser *p, struct expr *e)
{
    free_expr(e);
    if (p->result == PARSE_OK)
        p->result = *p->pos == '\0' && p->brackets > 0 ? PARSE_INCOMPLETE : PARSE_OTHER;
    return NULL;
}

/* Creates a node. Takes object, even on failure. NULL: out of memory. */
static struct expr *make(struct parser *p, enum expr_kind kind, struct expr *object)
{
    struct expr *e = calloc(1, sizeof(*e));

    if (!e)
        return give_up(p, object);
    e->kind = kind;
    e->object = object;
    STAILQ_INIT(&e->parts);
    return e;
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

/* Skips blanks. Inside brackets, also skips newlines and comments. */
static void skip_blanks(struct parser *p)
{
    const char *blanks = p->brackets > 0 ? " \t\f\r\n" : " \t\f";

    for (;;) {
        p->pos += strspn(p->pos, blanks);
        if (p->brackets == 0 || *p->pos != '#')
            return;
        p->pos += strcspn(p->pos, "\n");
    }
}

static bool takes(struct parser *p, char c)
{
    skip_blanks(p);
    if (*p->pos != c)
        return false;
    p->pos++;
    return true;
}

static bool open_bracket(struct parser *p, char c)
{
    if (p->brackets == DEPTH_MAX || !takes(p, c))
        return false;
    p->brackets++;
    return true;
}

static bool close_bracket(struct parser *p, char c)
{
    if (!takes(p, c))
        return false;
    p->brackets--;
    return true;
}

/* Returns the length of the identifier at text. 0: there is no identifier, or it contains
 * characters that are not ASCII. Only Python itself has the rules for such characters. */
static size_t identifier_length(const char *text)
{
    size_t n = 0;

    if (isdigit((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return (unsigned char)text[n] < 0x80 ? n : 0;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool is_one_of(const char *text, size_t len, const char *const *words)
{
    for (; *words; words++)
        if (is_word(text, len, *words))
            return true;
    return false;
}

static bool is_keyword(const char *text, size_t len)
{
    static const char *const keywords[] = {
        "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
        "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
        "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
        "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield",    NULL};

    return is_one_of(text, len, keywords);
}

/* Reads a name. Returns a copy. NULL: there is no name, it is a keyword, or out of memory. */
static char *take_name(struct parser *p)
{
    size_t len;
    char *name;

    skip_blanks(p);
    len = identifier_length(p->pos);
    if (len == 0 || is_keyword(p->pos, len))
        return NULL;
    name = strndup(p->pos, len);
    p->pos += len;
    return name;
}

/* If the next word is `word`, reads it and returns true. Otherwise returns false. */
static bool takes_word(struct parser *p, const char *word)
{
    skip_blanks(p);
    if (!is_word(p->pos, identifier_length(p->pos), word))
        return false;
    p->pos += strlen(word);
    return true;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* Creates a literal, which takes the value *value. built: the result of the rpyc_build() that made
 * *value. If built is negative, no literal can be created. */
static struct expr *literal(struct parser *p, int built, rpyc_value **value)
{
    struct expr *e = built == 0 ? make(p, EXPR_LITERAL, NULL) : give_up(p, NULL);

    if (e)
        e->value = *value;
    else
        rpyc_unref(*value);
    return e;
}

/* Copies the number at the start of text to out, without underscores. Returns the number of
 * characters of text that were read. 0: the text is not a number, or the number is too long. */
static size_t copy_number(const char *text, char *out, size_t room)
{
    bool is_hex = text[0] == '0' && strchr("xXoObB", text[1]) && text[1];
    size_t i, n = 0;

    for (i = 0; isalnum((unsigned char)text[i]) || strchr("._", text[i]) ||
                (strchr("+-", text[i]) && i > 0 && strchr("eE", text[i - 1]) && !is_hex);
         i++) {
        if (text[i] == '\0')
            break;
        if (text[i] == '_' && !isalnum((unsigned char)text[i + 1]))
            return 0;
        if (text[i] != '_' && n + 1 < room)
            out[n++] = text[i];
    }
    out[n] = '\0';
    return n + 1 < room ? i : 0;
}

static struct expr *parse_real(struct parser *p, const char *digits, bool negative)
{
    rpyc_value *value = NULL;
    char *end;
    double number = strtod(digits, &end);

    if (negative)
        number = -number;
    if (*end == '\0')
        return literal(p, rpyc_build(&value, NULL, "d", number), &value);
    if ((*end == 'j' || *end == 'J') && end[1] == '\0')
        return literal(p, rpyc_build(&value, NULL, "c", negative ? -0.0 : 0.0, number), &value);
    return give_up(p, NULL);
}

/* Makes a literal of a hexadecimal, octal or binary int that fits into 64 bits. */
static struct expr *parse_other_base(struct parser *p, const char *digits, bool negative)
{
    static const char letters[] = "xob";
    static const int bases[] = {16, 8, 2};
    const char *letter = strchr(letters, tolower((unsigned char)digits[1]));
    unsigned long long number;
    rpyc_value *value = NULL;
    char *end;

    if (strlen(digits) < 3 || strlen(digits) > 17 || !isalnum((unsigned char)digits[2]))
        return give_up(p, NULL);
    number = strtoull(digits + 2, &end, bases[letter - letters]);
    if (*end != '\0' || number > INT64_MAX)
        return give_up(p, NULL);
    return literal(p, rpyc_build(&value, NULL, "l", negative ? -(int64_t)number : (int64_t)number),
                   &value);
}

/* True if an attribute, call or subscript follows. Python applies such a step to a number without
 * its minus, so the client does not parse a negative number with a step. */
static bool begins_step(struct parser *p)
{
    skip_blanks(p);
    return *p->pos && strchr(".([", *p->pos);
}

static struct expr *parse_number(struct parser *p)
{
    bool negative = takes(p, '-');
    char digits[400] = "-";
    size_t len;
    rpyc_value *value = NULL;

    skip_blanks(p);
    len = copy_number(p->pos, digits + 1, sizeof(digits) - 1);
    p->pos += len;
    if (len == 0 || (*p->pos & 0x80) || (negative && begins_step(p)))
        return give_up(p, NULL);
    if (digits[1] == '0' && digits[2] && strchr("xXoObB", digits[2]))
        return parse_other_base(p, digits + 1, negative);
    if (strspn(digits + 1, "0123456789") != strlen(digits + 1))
        return parse_real(p, digits + 1, negative);
    if (digits[1] == '0' && strspn(digits + 1, "0") != strlen(digits + 1))
        return give_up(p, NULL); /* 007 is a syntax error */
    return literal(p, rpyc_build(&value, NULL, "n", digits + !negative), &value);
}

static bool begins_number(const char *text)
{
    text += *text == '-';
    text += *text == '.';
    return isdigit((unsigned char)*text);
}

/* ---- Strings --------------------------------------------------------------------------------- */

/* True if a string literal begins at text. *len: the length of its prefix, such as 2 for rb. */
static bool begins_string(const char *text, bool *is_bytes, bool *is_raw, size_t *len)
{
    size_t n;

    *is_bytes = *is_raw = false;
    for (n = 0; n < 2 && text[n] && strchr("rRbBuU", text[n]); n++) {
        *is_bytes |= tolower((unsigned char)text[n]) == 'b';
        *is_raw |= tolower((unsigned char)text[n]) == 'r';
    }
    *len = n;
    return text[n] == '\'' || text[n] == '"';
}

/* Appends the character c as UTF-8, or a byte if is_bytes. Returns false if c is not valid. */
static bool put_char(FILE *out, unsigned long c, bool is_bytes)
{
    if (is_bytes || c < 0x80) {
        fputc((int)c, out);
        return c < 0x100;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return false;
    if (c >= 0x10000)
        fputc((int)(0xf0 | c >> 18), out);
    if (c >= 0x800)
        fputc((int)((c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12)), out);
    fputc((int)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6), out);
    fputc((int)(0x80 | (c & 0x3f)), out);
    return true;
}

/* Reads the digits of an escape sequence such as \x41, and appends the character or byte that they
 * stand for. base: 16 for exactly `digits` hexadecimal digits, 8 for up to `digits` octal digits.
 * Returns false if the escape sequence is not valid. */
static bool put_number(struct parser *p, FILE *out, int base, size_t digits, bool is_bytes)
{
    char text[9] = "";
    size_t n = 0;
    unsigned long c;

    while (n < digits && (base == 16 ? isxdigit((unsigned char)p->pos[n]) != 0
                                     : p->pos[n] >= '0' && p->pos[n] < '8'))
        n++;
    if (n == 0 || (base == 16 && n < digits))
        return false;
    memcpy(text, p->pos, n);
    p->pos += n;
    c = strtoul(text, NULL, base);
    return put_char(out, c, is_bytes);
}

/* Reads an escape sequence after its backslash, and appends its meaning. Returns false if the
 * escape sequence is not valid, or if only Python can handle it. */
static bool put_escape(struct parser *p, FILE *out, bool is_bytes)
{
    static const char letters[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
    char c = *p->pos;
    const char *letter = c ? strchr(letters, c) : NULL;

    if (c >= '0' && c < '8')
        return put_number(p, out, 8, 3, is_bytes);
    if (!c) /* the end of the source */
        return false;
    p->pos++;
    if (letter)
        fputc(meanings[letter - letters], out);
    else if (c == 'x')
        return put_number(p, out, 16, 2, is_bytes);
    else if (c == 'u' && !is_bytes)
        return put_number(p, out, 16, 4, false);
    else if (c == 'U' && !is_bytes)
        return put_number(p, out, 16, 8, false);
    else
        return false; /* \N{name}, a line end, or an escape for which Python prints a warning */
    return true;
}

/* Reads a string literal from its first quote to its last, and appends its text. Returns false if
 * the literal is not valid, or if only Python can handle it. */
static bool put_string(struct parser *p, FILE *out, bool is_bytes, bool is_raw)
{
    char quote = *p->pos++;

    if (p->pos[0] == quote && p->pos[1] == quote)
        return false; /* a triple-quoted string may have several lines */
    while (*p->pos != quote) {
        if (*p->pos == '\0' || *p->pos == '\n' || (is_bytes && (*p->pos & 0x80)))
            return false;
        if (*p->pos == '\\' && !is_raw) {
            p->pos++;
            if (!put_escape(p, out, is_bytes))
                return false;
            continue;
        }
        if (*p->pos == '\\') { /* raw: the backslash and the next character are kept */
            fputc(*p->pos++, out);
            if (*p->pos == '\0' || *p->pos == '\n')
                return false;
        }
        fputc(*p->pos++, out);
    }
    p->pos++;
    return true;
}

/* Reads adjacent string literals. They must be all str or all bytes. */
static struct expr *parse_string(struct parser *p)
{
    bool is_bytes, is_raw, first_is_bytes, good = true;
    rpyc_value *value = NULL;
    char *text = NULL;
    size_t prefix, len = 0;
    FILE *out = open_memstream(&text, &len);
    struct expr *e;
    int built;

    if (!out)
        return give_up(p, NULL);
    begins_string(p->pos, &first_is_bytes, &is_raw, &prefix);
    while (good && begins_string(p->pos, &is_bytes, &is_raw, &prefix)) {
        p->pos += prefix;
        good = is_bytes == first_is_bytes && put_string(p, out, is_bytes, is_raw);
        skip_blanks(p);
    }
    good = fclose(out) == 0 && good;
    built = !good            ? -1
            : first_is_bytes ? rpyc_build(&value, NULL, "y", text, len)
                             : rpyc_build(&value, NULL, "z", text, len);
    e = literal(p, built, &value);
    free(text);
    if (!e && p->result == PARSE_INCOMPLETE)
        p->result = PARSE_OTHER; /* more lines cannot close a quote */
    return e;
}

/* ---- Expressions ----------------------------------------------------------------------------- */

static struct expr *parse_expr(struct parser *p);

/* Appends a part to e. Takes part. */
static void append(struct expr *e, struct expr *part)
{
    STAILQ_INSERT_TAIL(&e->parts, part, next);
}

/* Reads parts up to a closing bracket and appends them to e. Calls `parse` for each part. *comma:
 * true if there was a comma. Returns e; on failure frees e and returns NULL. */
static struct expr *parse_parts(struct parser *p, struct expr *e, char closing,
                                bool (*parse)(struct parser *p, struct expr *e), bool *comma)
{
    bool more = true;

    *comma = false;
    while (!close_bracket(p, closing)) {
        if (!more || !parse(p, e))
            return give_up(p, e);
        more = takes(p, ',');
        *comma |= more;
    }
    return e;
}

static bool parse_part(struct parser *p, struct expr *e)
{
    struct expr *part = parse_expr(p);

    if (part)
        append(e, part);
    return part != NULL;
}

/* Reads an argument of a call: value or name=value. */
static bool parse_argument(struct parser *p, struct expr *e)
{
    const char *start = p->pos;
    char *keyword = take_name(p);
    struct expr *part;

    if (keyword && (!takes(p, '=') || *p->pos == '=')) {
        free(keyword);
        keyword = NULL;
        p->pos = start;
    }
    part = parse_expr(p);
    if (!part) {
        free(keyword);
        return false;
    }
    part->keyword = keyword;
    append(e, part);
    return true;
}

/* Reads a member of a set, or an entry `key: value` of a dict. The first entry decides whether e is
 * a set or a dict. */
static bool parse_entry(struct parser *p, struct expr *e)
{
    bool is_first = STAILQ_EMPTY(&e->parts);

    if (!parse_part(p, e))
        return false;
    if (!takes(p, ':'))
        return e->kind == EXPR_SET;
    if (is_first)
        e->kind = EXPR_DICT;
    return e->kind == EXPR_DICT && parse_part(p, e);
}

/* Reads the start, stop or step of a slice. If the text does not have this part, appends None. */
static bool parse_bound(struct parser *p, struct expr *e)
{
    struct expr *none;
    rpyc_value *value = NULL;

    skip_blanks(p);
    if (*p->pos != ':' && *p->pos != ']' && *p->pos != ',' && *p->pos != '\0')
        return parse_part(p, e);
    none = literal(p, rpyc_build(&value, NULL, "N"), &value);
    if (none)
        append(e, none);
    return none != NULL;
}

/* Reads a subscript: a value, or start:stop:step. */
static bool parse_subscript(struct parser *p, struct expr *e)
{
    struct expr *slice = make(p, EXPR_SLICE, NULL);
    bool is_value, good;

    if (!slice || !parse_bound(p, slice)) {
        give_up(p, slice);
        return false;
    }
    is_value = !takes(p, ':');
    if (is_value) {
        STAILQ_CONCAT(&e->parts, &slice->parts);
        free_expr(slice);
        return true;
    }
    good = parse_bound(p, slice);
    takes(p, ':');
    good = good && parse_bound(p, slice);
    if (!good) {
        give_up(p, slice);
        return false;
    }
    append(e, slice);
    return true;
}

/* If there was a comma, as in x[1, 2], makes one tuple of the subscripts. On failure, or if there
 * is no subscript, frees e and returns NULL. */
static struct expr *fold_subscripts(struct parser *p, struct expr *e, bool comma)
{
    struct expr *tuple;

    if (!e || !comma)
        return e && STAILQ_EMPTY(&e->parts) ? give_up(p, e) : e;
    tuple = make(p, EXPR_TUPLE, NULL);
    if (!tuple)
        return give_up(p, e);
    STAILQ_CONCAT(&tuple->parts, &e->parts);
    append(e, tuple);
    return e;
}

/* Reads what follows an opening parenthesis: a tuple, or one expression. */
static struct expr *parse_group(struct parser *p)
{
    struct expr *e = make(p, EXPR_TUPLE, NULL);
    struct expr *only;
    bool comma;

    e = e ? parse_parts(p, e, ')', parse_part, &comma) : NULL;
    if (!e || comma || STAILQ_EMPTY(&e->parts))
        return e;
    only = STAILQ_FIRST(&e->parts);
    STAILQ_REMOVE_HEAD(&e->parts, next);
    free_expr(e);
    return only;
}

static struct expr *parse_display(struct parser *p, enum expr_kind kind, char closing)
{
    struct expr *e = make(p, kind, NULL);
    bool comma;

    if (!e)
        return NULL;
    e = parse_parts(p, e, closing, kind == EXPR_LIST ? parse_part : parse_entry, &comma);
    if (e && e->kind == EXPR_SET && STAILQ_EMPTY(&e->parts))
        e->kind = EXPR_DICT;
    return e;
}

/* Reads None, True, False or `...`. */
static struct expr *parse_constant(struct parser *p)
{
    rpyc_value *value = NULL;

    if (takes_word(p, "None"))
        return literal(p, rpyc_build(&value, NULL, "N"), &value);
    if (takes_word(p, "True"))
        return literal(p, rpyc_build(&value, NULL, "b", 1), &value);
    if (takes_word(p, "False"))
        return literal(p, rpyc_build(&value, NULL, "b", 0), &value);
    if (strncmp(p->pos, "...", 3) != 0)
        return give_up(p, NULL);
    p->pos += 3;
    return literal(p, rpyc_build(&value, NULL, "E"), &value);
}

/* Reads the expression before the first step of a chain. */
static struct expr *parse_atom(struct parser *p)
{
    bool is_bytes, is_raw;
    struct expr *e;
    size_t prefix;
    char *name;

    skip_blanks(p);
    if (open_bracket(p, '('))
        return parse_group(p);
    if (open_bracket(p, '['))
        return parse_display(p, EXPR_LIST, ']');
    if (open_bracket(p, '{'))
        return parse_display(p, EXPR_SET, '}');
    if (begins_string(p->pos, &is_bytes, &is_raw, &prefix))
        return parse_string(p);
    if (begins_number(p->pos))
        return parse_number(p);
    name = take_name(p);
    if (!name)
        return parse_constant(p);
    e = make(p, EXPR_NAME, NULL);
    if (e)
        e->name = name;
    else
        free(name);
    return e;
}

/* Reads one step of a chain: an attribute, a call or a subscript. Takes object and returns the new
 * node. If no step follows, returns object and sets *end. */
static struct expr *parse_step(struct parser *p, struct expr *object, bool *end)
{
    struct expr *e = NULL;
    bool comma;

    skip_blanks(p);
    *end = false;
    if (takes(p, '.')) {
        e = make(p, EXPR_ATTRIBUTE, object);
        if (e)
            e->name = take_name(p);
        return e && e->name ? e : give_up(p, e);
    }
    if (open_bracket(p, '(')) {
        e = make(p, EXPR_CALL, object);
        return e ? parse_parts(p, e, ')', parse_argument, &comma) : NULL;
    }
    if (open_bracket(p, '[')) {
        e = make(p, EXPR_ITEM, object);
        e = e ? parse_parts(p, e, ']', parse_subscript, &comma) : NULL;
        return e ? fold_subscripts(p, e, comma) : NULL;
    }
    *end = true;
    return object;
}

static struct expr *parse_expr(struct parser *p)
{
    struct expr *e = parse_atom(p);
    bool end = false;

    while (e && !end)
        e = parse_step(p, e, &end);
    return e;
}

/* ---- Statements ------------------------------------------------------------------------------ */

static bool is_target(const struct expr *e)
{
    return e->kind == EXPR_NAME || e->kind == EXPR_ATTRIBUTE || e->kind == EXPR_ITEM;
}

/* Reads the dotted name of a module. Returns a copy, or NULL. */
static char *take_dotted(struct parser *p)
{
    const char *start;
    size_t len, more;

    skip_blanks(p);
    start = p->pos;
    len = identifier_length(start);
    while (len > 0 && start[len] == '.') {
        more = identifier_length(start + len + 1);
        if (more == 0)
            return NULL;
        len += 1 + more;
    }
    p->pos += len;
    return len > 0 ? strndup(start, len) : NULL;
}

static bool parse_import(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_IMPORT;
    s->module = take_dotted(p);
    if (!s->module || !takes_word(p, "as"))
        return s->module != NULL;
    s->name = take_name(p);
    return s->name != NULL;
}

/* Reads an expression or an assignment. */
static bool parse_value(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_VALUE;
    s->value = parse_expr(p);
    if (!s->value || !takes(p, '='))
        return s->value != NULL;
    if (*p->pos == '=' || !is_target(s->value))
        return false;
    s->kind = STATEMENT_ASSIGN;
    s->target = s->value;
    s->value = parse_expr(p);
    return s->value != NULL;
}

static bool parse_any(struct parser *p, struct statement *s)
{
    if (takes_word(p, "import"))
        return parse_import(p, s);
    if (!takes_word(p, "del"))
        return parse_value(p, s);
    s->kind = STATEMENT_DELETE;
    s->target = parse_expr(p);
    return s->target && is_target(s->target);
}

/* True if text contains only blanks and comments. */
static bool is_at_end(const char *text)
{
    for (;;) {
        text += strspn(text, " \t\f\r\n");
        if (*text != '#')
            return *text == '\0';
        text += strcspn(text, "\n");
    }
}

enum parse_result statement_parse(struct statement *out, const char *source)
{
    struct parser p = {.pos = source, .result = PARSE_OK};

    *out = (struct statement){0};
    if (is_at_end(source))
        return PARSE_NOTHING;
    if (isspace((unsigned char)source[0]) || !parse_any(&p, out))
        return p.result == PARSE_OK ? PARSE_OTHER : p.result;
    out->quiet = takes(&p, ';');
    return is_at_end(p.pos) ? PARSE_OK : PARSE_OTHER;
}

void statement_free(struct statement *s)
{
    free_expr(s->target);
    free_expr(s->value);
    free(s->module);
    free(s->name);
}

bool expr_is_chain(const struct expr *e)
{
    return e->object || e->kind == EXPR_NAME;
}

/* True if is_so() is true for e or for any node in it. */
static bool has_any(const struct expr *e, bool (*is_so)(const struct expr *e))
{
    const struct expr *part;

    if (is_so(e) || (e->object && has_any(e->object, is_so)))
        return true;
    STAILQ_FOREACH (part, &e->parts, next)
        if (has_any(part, is_so))
            return true;
    return false;
}

static bool is_call(const struct expr *e)
{
    return e->kind == EXPR_CALL;
}

bool expr_has_call(const struct expr *e)
{
    return has_any(e, is_call);
}

static bool is_caller_looked_at(const struct expr *e)
{
    static const char *const builtins[] = {"__import__", "breakpoint", "dir",   "eval",   "exec",
                                           "exit",       "globals",    "input", "locals", "print",
                                           "quit",       "super",      "vars",  NULL};

    return is_call(e) && e->object->kind == EXPR_NAME &&
           is_one_of(e->object->name, strlen(e->object->name), builtins);
}

bool expr_needs_caller(const struct expr *e)
{
    return has_any(e, is_caller_looked_at);
}
