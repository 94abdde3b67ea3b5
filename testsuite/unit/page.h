/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory of a process that has one page.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#define PAGE  4096
#define START UINT64_C(0x10000) /* the address of the page */

extern unsigned char page[PAGE];
extern unsigned page_reads; /* how many times page_read() was called */

/* For the member `read` of struct memory: fails for addresses outside of the page. */
bool page_read(const struct memory *m, const struct memory_piece *pieces, size_t count);

/* Writes a member of an object. address: that of the object, in the page. offset: of the member. */
void page_put(uint64_t address, int offset, uint64_t value);

#endif
