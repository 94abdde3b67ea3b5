/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the symbols that an executable or a library exports, in the memory of a process that has
 * loaded the executable or library. Uses the hash tables that the dynamic linker also uses.
 */
#ifndef STACKREADER_DYNAMIC_SYMBOLS_H
#define STACKREADER_DYNAMIC_SYMBOLS_H

#include "mappings.h"
#include "memory.h"

/* A loaded ELF image. */
struct dynamic {
    const struct memory *memory;
    uint64_t start; /* the address of its ELF header */
    uint64_t bias;  /* this number plus an address in the file is the address in the process */
    uint64_t symbols, names;
    uint64_t gnu_hash, hash; /* addresses of the hash tables; 0: there is no table of this kind */
};

/* Opens the image whose first page is at the start of a mapping. Returns false if there is no
 * image, if it is for another kind of machine, or if it exports no symbols. */
bool dynamic_open(struct dynamic *out, const struct memory *memory, const struct mapping *first);

/* Sets *bias to the number that must be added to an address in a file to get the address in the
 * process. Returns false if the mapping does not begin with the first page of an ELF image of this
 * machine's kind. */
bool dynamic_bias(const struct memory *memory, const struct mapping *first, uint64_t *bias);

/* Sets *address to the address of a symbol in the process. Returns false if the image does not
 * define the symbol. */
bool dynamic_find(const struct dynamic *d, const char *name, uint64_t *address);

#endif
