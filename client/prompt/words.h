/* SPDX-License-Identifier: BSD-3-Clause
 *
 * words: the arguments of a magic, with quotes and backslashes as Python's shlex.split, and so a
 * shell, understands them.
 */
#ifndef CLIENT_PROMPT_WORDS_H
#define CLIENT_PROMPT_WORDS_H

#include <stddef.h>

struct words {
    char **list;
    size_t count;
};

/* Splits a text. 0 and out filled, for words_clear; or -1 with errno: EINVAL if a quote is not
 * closed or nothing follows a backslash. */
int words_split(struct words *out, const char *text);
void words_clear(struct words *words);

/* Where the last word of a text begins that is being typed; its end, if the next one is to come.
 * *quote: the quote that is open in it, or 0. */
const char *words_last(const char *text, char *quote);

/* A text as a part of a word, with backslashes where they are needed; for free(), NULL: out of
 * memory. */
char *words_escape(const char *text);

#define CLEAN_WORDS __attribute__((cleanup(words_clear)))

#endif
