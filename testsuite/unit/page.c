/* SPDX-License-Identifier: BSD-3-Clause */
#include "page.h"

#include <string.h>

unsigned char page[PAGE];
unsigned page_reads;

bool page_read(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    (void)m;
    page_reads++;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].address < START || pieces[i].size > PAGE ||
            pieces[i].address - START > PAGE - pieces[i].size)
            return false;
        memcpy(pieces[i].to, page + (pieces[i].address - START), pieces[i].size);
    }
    return true;
}

void page_put(uint64_t address, int offset, uint64_t value)
{
    memcpy(page + (address - START) + offset, &value, sizeof(value));
}
