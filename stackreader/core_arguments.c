/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The kernel puts on the stack of a new process, from lower to higher addresses: the number of
 * arguments, pointers to them, a null pointer, pointers to the environment, a null pointer, the
 * auxiliary vector, the texts of arguments and environment, and the name of the executed file. A
 * note of the core file also contains the auxiliary vector. An entry of the auxiliary vector is the
 * address of the name of the executed file.
 */
#include "core_arguments.h"

#include <stdlib.h>
#include <string.h>

/* The maximum size of the part of the stack that is searched, in bytes. This part ends at the name
 * of the executed file. The kernel allows 6 MB of arguments and environment; the pointers to them
 * need additional room. */
#define STACK_MAX     ((size_t)16 << 20)
#define ARGUMENTS_MAX 100000
#define WORD          sizeof(uint64_t)

/* A copy of the end of the stack. */
struct stack {
    unsigned char *bytes;
    uint64_t start; /* its address, a multiple of WORD */
    size_t size;
};

static void stack_free(struct stack *s)
{
    free(s->bytes);
}

static uint64_t word_at(const struct stack *s, size_t offset)
{
    uint64_t word;

    memcpy(&word, s->bytes + offset, sizeof(word));
    return word;
}

/* Reads the part of the stack below the name of the executed file. Returns false if the core file
 * does not have this part, or if there is no memory. */
static bool read_stack(const struct core *core, struct stack *s)
{
    const struct core_segment *segment;
    uint64_t offset, end = core->file_name & ~(uint64_t)(WORD - 1);

    if (core_find(core, core->file_name, 1, &segment, &offset) == 0)
        return false;
    s->start = (segment->start + WORD - 1) & ~(uint64_t)(WORD - 1);
    if (s->start > end)
        return false;
    if (end - s->start > STACK_MAX)
        s->start = end - STACK_MAX;
    s->bytes = malloc(end - s->start + 1);
    if (!s->bytes)
        return false;
    s->size = core_read(core, s->start, s->bytes, (size_t)(end - s->start));
    return s->size == end - s->start;
}

/* Sets *offset to the offset of the auxiliary vector in *s. Begins the search at the end of *s. */
static bool find_auxv(const struct core *core, const struct stack *s, size_t *offset)
{
    size_t at;

    if (core->auxv_size == 0 || core->auxv_size > s->size)
        return false;
    for (at = (s->size - core->auxv_size) / WORD * WORD; at > 0; at -= WORD) {
        if (memcmp(s->bytes + at, core->auxv, core->auxv_size) == 0) {
            *offset = at;
            return true;
        }
    }
    return false;
}

/* Sets *first to the offset of the pointer to the first argument, and *count to the number of
 * arguments. auxv: the offset of the auxiliary vector. */
static bool find_pointers(const struct stack *s, size_t auxv, size_t *first, size_t *count)
{
    size_t at = auxv, i;

    if (at < 2 * WORD || word_at(s, at - WORD) != 0)
        return false;
    for (at -= 2 * WORD; word_at(s, at) != 0; at -= WORD) { /* skip the environment */
        if (at == 0)
            return false;
    }
    for (i = 0; i <= ARGUMENTS_MAX && at >= (i + 1) * WORD; i++) {
        if (word_at(s, at - (i + 1) * WORD) == i) {
            *first = at - i * WORD;
            *count = i;
            return true;
        }
    }
    return false;
}

/* Appends the text at an address to *out. Returns false if the text is not on the stack. */
static bool append(const struct stack *s, uint64_t address, struct core_arguments *out)
{
    const unsigned char *text, *nul;
    size_t size;

    if (address < s->start || address - s->start >= s->size)
        return false;
    text = s->bytes + (address - s->start);
    nul = memchr(text, '\0', s->size - (size_t)(address - s->start));
    if (!nul)
        return false;
    size = (size_t)(nul - text) + 1;
    if (size > s->size - out->size) /* true only if texts overlap */
        return false;
    memcpy(out->text + out->size, text, size);
    out->size += size;
    out->count++;
    return true;
}

bool core_arguments_read(const struct core *core, struct core_arguments *out)
{
    struct stack stack __attribute__((cleanup(stack_free))) = {0};
    size_t auxv, first, count, i;

    *out = (struct core_arguments){0};
    if (!read_stack(core, &stack) || !find_auxv(core, &stack, &auxv) ||
        !find_pointers(&stack, auxv, &first, &count))
        return false;
    out->text = malloc(stack.size + 1);
    for (i = 0; out->text && i < count; i++) {
        if (!append(&stack, word_at(&stack, first + i * WORD), out))
            break;
    }
    if (out->text && i == count)
        return true;
    core_arguments_free(out);
    return false;
}

void core_arguments_free(struct core_arguments *arguments)
{
    free(arguments->text);
    *arguments = (struct core_arguments){0};
}
