/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* blanks: the characters that end a word. special: all characters that words_escape() escapes,
 * which includes the blanks. */
static const char blanks[] = " \t\r\n";
static const char special[] = " \t\r\n'\"\\";

/* Reads one character at *p and moves *p past it. *quote: the quote that is open, or 0; this
 * function updates *quote. Returns the character; 0 for a quote that opens or closes; -1 if the
 * text ends with a backslash. */
static int next_character(const char **p, char *quote)
{
    const char c = *(*p)++;

    if (c == '\\' && *quote != '\'') {
        if (**p == '\0')
            return -1;
        if (*quote == 0 || **p == '\\' || **p == *quote)
            return (unsigned char)*(*p)++;
    } else if (*quote ? c == *quote : c == '\'' || c == '"') {
        *quote = *quote ? 0 : c;
        return 0;
    }
    return (unsigned char)c;
}

/* Reads the word at *p and moves *p past this word. Returns the word, for free(), or NULL with
 * errno. */
static char *take_word(const char **p)
{
    char *word = malloc(strlen(*p) + 1), *end = word;
    char quote = 0;
    int c;

    while (word && **p && (quote || !strchr(blanks, **p))) {
        c = next_character(p, &quote);
        if (c < 0)
            quote = '\\';
        else if (c > 0)
            *end++ = (char)c;
    }
    if (word && !quote) {
        *end = '\0';
        return word;
    }
    errno = word ? EINVAL : ENOMEM;
    free(word);
    return NULL;
}

int words_split(struct words *out, const char *text)
{
    char **longer;
    int why;

    *out = (struct words){0};
    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        longer = reallocarray(out->list, out->count + 1, sizeof(*longer));
        if (longer) {
            out->list = longer;
            longer[out->count] = take_word(&text);
        }
        if (!longer || !longer[out->count]) {
            why = errno;
            words_clear(out);
            errno = why;
            return -1;
        }
        out->count++;
    }
    return 0;
}

void words_clear(struct words *words)
{
    size_t i;

    for (i = 0; i < words->count; i++)
        free(words->list[i]);
    free(words->list);
    *words = (struct words){0};
}

const char *words_last(const char *text, char *quote)
{
    const char *start = text;

    *quote = 0;
    while (*text) {
        if (*quote == 0 && strchr(blanks, *text)) {
            start = ++text;
            continue;
        }
        if (next_character(&text, quote) < 0)
            break;
    }
    return start;
}

char *words_escape(const char *text)
{
    char *escaped = malloc(2 * strlen(text) + 1), *end = escaped;

    if (!escaped)
        return NULL;
    for (; *text; text++) {
        if (strchr(special, *text))
            *end++ = '\\';
        *end++ = *text;
    }
    *end = '\0';
    return escaped;
}
