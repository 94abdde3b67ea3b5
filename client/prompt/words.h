/* SPDX-License-Identifier: BSD-3-Clause
 *
 * words: splits the arguments of a magic at blanks. Quotes and backslashes have the same meaning as
 * in a shell and in Python's shlex.split.
 */
#ifndef CLIENT_PROMPT_WORDS_H
#define CLIENT_PROMPT_WORDS_H

#include <stddef.h>

struct words {
    char **list;
    size_t count;
};

/* Splits a text. Returns 0 with *out, to be freed with words_clear. Returns -1 with errno: EINVAL
 * if a quote is not closed or the text ends with a backslash, or ENOMEM. */
int words_split(struct words *out, const char *text);
void words_clear(struct words *words);

/* Returns the start of the last word of a text, which may be partly typed. If the text ends with a
 * blank, returns the end of the text. *quote: the quote character that is open in the word, or 0.
 */
const char *words_last(const char *text, char *quote);

/* Returns the text with a backslash before each blank, quote and backslash, for free(). NULL: out
 * of memory. */
char *words_escape(const char *text);

#define CLEAN_WORDS __attribute__((cleanup(words_clear)))

#endif
