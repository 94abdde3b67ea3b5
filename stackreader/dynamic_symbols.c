/* SPDX-License-Identifier: BSD-3-Clause */
#include "dynamic_symbols.h"

#include <elf.h>
#include <string.h>

#define SEGMENTS_MAX 64
#define ENTRIES_MAX  256   /* entries of the dynamic section */
#define CHAIN_MAX    10000 /* symbols with the same hash */
#define NAME_MAX_LEN 64

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_ORDER ELFDATA2LSB
#else
#define OWN_ORDER ELFDATA2MSB
#endif

/* ---- The image ------------------------------------------------------------------------------- */

struct segments {
    Elf64_Phdr items[SEGMENTS_MAX];
    size_t count;
};

static bool read_segments(const struct memory *m, uint64_t start, struct segments *out)
{
    Elf64_Ehdr head;

    if (!memory_read(m, start, &head, sizeof(head)) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != OWN_ORDER ||
        head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > SEGMENTS_MAX)
        return false;
    out->count = head.e_phnum;
    return out->count > 0 &&
           memory_read(m, start + head.e_phoff, out->items, out->count * sizeof(Elf64_Phdr));
}

/* Sets *bias to the number that must be added to an address in the file to get the address in the
 * process. Computes *bias from the segment that contains the first page of the file, and from
 * `start`, the address of this page in the process. */
static bool find_bias(const struct segments *s, uint64_t start, uint64_t *bias)
{
    size_t i;

    for (i = 0; i < s->count; i++) {
        if (s->items[i].p_type == PT_LOAD && s->items[i].p_offset < 4096) {
            *bias = start - (s->items[i].p_vaddr & ~UINT64_C(4095));
            return true;
        }
    }
    return false;
}

bool dynamic_bias(const struct memory *memory, const struct mapping *first, uint64_t *bias)
{
    struct segments segments;

    return read_segments(memory, first->start, &segments) &&
           find_bias(&segments, first->start, bias);
}

/* Returns an address in the process. value: the same address as it is stored in the dynamic
 * section. glibc replaces the addresses in this section by addresses in the process; other dynamic
 * linkers do not. */
static uint64_t address_of(const struct dynamic *d, uint64_t value)
{
    return value < d->start ? value + d->bias : value;
}

static void take_entry(struct dynamic *d, const Elf64_Dyn *entry)
{
    switch (entry->d_tag) {
    case DT_SYMTAB:
        d->symbols = address_of(d, entry->d_un.d_ptr);
        break;
    case DT_STRTAB:
        d->names = address_of(d, entry->d_un.d_ptr);
        break;
    case DT_GNU_HASH:
        d->gnu_hash = address_of(d, entry->d_un.d_ptr);
        break;
    case DT_HASH:
        d->hash = address_of(d, entry->d_un.d_ptr);
        break;
    default:
        break;
    }
}

bool dynamic_open(struct dynamic *out, const struct memory *memory, const struct mapping *first)
{
    struct segments segments;
    Elf64_Dyn entries[ENTRIES_MAX];
    size_t i, j, count;

    *out = (struct dynamic){.memory = memory, .start = first->start};
    if (!read_segments(memory, first->start, &segments) ||
        !find_bias(&segments, first->start, &out->bias))
        return false;
    for (i = 0; i < segments.count; i++) {
        if (segments.items[i].p_type != PT_DYNAMIC)
            continue;
        count = segments.items[i].p_memsz / sizeof(*entries);
        count = count < ENTRIES_MAX ? count : ENTRIES_MAX;
        if (!memory_read(memory, segments.items[i].p_vaddr + out->bias, entries,
                         count * sizeof(*entries)))
            return false;
        for (j = 0; j < count && entries[j].d_tag != DT_NULL; j++)
            take_entry(out, &entries[j]);
    }
    return out->symbols && out->names && (out->gnu_hash || out->hash);
}

/* ---- Symbols --------------------------------------------------------------------------------- */

/* True if the symbol with this index is defined and has this name. Sets *address to its address. */
static bool is_symbol(const struct dynamic *d, uint32_t index, const char *name, uint64_t *address)
{
    Elf64_Sym symbol;
    char found[NAME_MAX_LEN];
    size_t size = strlen(name) + 1;

    if (!memory_read(d->memory, d->symbols + index * sizeof(symbol), &symbol, sizeof(symbol)) ||
        symbol.st_shndx == SHN_UNDEF || size > sizeof(found) ||
        !memory_read(d->memory, d->names + symbol.st_name, found, size) ||
        memcmp(found, name, size) != 0)
        return false;
    *address = symbol.st_value + d->bias;
    return true;
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t hash = 5381;

    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/* Looks the name up in the table DT_GNU_HASH. The table consists of a head of four words, a Bloom
 * filter of 64-bit words, the buckets, and the hashes of the symbols. Among the hashes of a bucket,
 * only the last one has its lowest bit set. */
static bool find_by_gnu_hash(const struct dynamic *d, const char *name, uint64_t *address)
{
    enum { BUCKETS, FIRST_SYMBOL, FILTER_SIZE, FILTER_SHIFT, HEAD };
    uint32_t head[HEAD], hash = gnu_hash(name), symbol, found;
    uint64_t filter, buckets, word, mask;
    int i;

    if (!memory_read(d->memory, d->gnu_hash, head, sizeof(head)) || head[BUCKETS] == 0 ||
        head[FILTER_SIZE] == 0)
        return false;
    filter = d->gnu_hash + sizeof(head);
    mask = UINT64_C(1) << hash % 64 | UINT64_C(1) << (hash >> head[FILTER_SHIFT] % 32) % 64;
    if (!memory_pointer(d->memory, filter + hash / 64 % head[FILTER_SIZE] * sizeof(word), &word) ||
        (word & mask) != mask)
        return false;
    buckets = filter + head[FILTER_SIZE] * sizeof(word);
    if (!memory_read(d->memory, buckets + hash % head[BUCKETS] * sizeof(symbol), &symbol,
                     sizeof(symbol)) ||
        symbol < head[FIRST_SYMBOL])
        return false;
    for (i = 0; i < CHAIN_MAX; i++, symbol++) {
        if (!memory_read(d->memory,
                         buckets + (head[BUCKETS] + (uint64_t)(symbol - head[FIRST_SYMBOL])) *
                                       sizeof(found),
                         &found, sizeof(found)))
            return false;
        if ((found | 1) == (hash | 1) && is_symbol(d, symbol, name, address))
            return true;
        if (found & 1)
            return false;
    }
    return false;
}

static uint32_t old_hash(const char *name)
{
    uint32_t hash = 0, high;

    for (; *name; name++) {
        hash = (hash << 4) + (unsigned char)*name;
        high = hash & 0xf0000000;
        hash ^= high >> 24;
        hash &= ~high;
    }
    return hash;
}

/* Looks the name up in the table DT_HASH. The table consists of the number of buckets, the number
 * of symbols, the first symbol of each bucket, and for each symbol the next symbol in the same
 * bucket. */
static bool find_by_old_hash(const struct dynamic *d, const char *name, uint64_t *address)
{
    uint32_t head[2], symbol;
    uint64_t at;
    int i;

    if (!memory_read(d->memory, d->hash, head, sizeof(head)) || head[0] == 0)
        return false;
    at = d->hash + sizeof(head) + old_hash(name) % head[0] * sizeof(symbol);
    for (i = 0; i < CHAIN_MAX; i++) {
        if (!memory_read(d->memory, at, &symbol, sizeof(symbol)) || symbol == 0)
            return false;
        if (is_symbol(d, symbol, name, address))
            return true;
        at = d->hash + sizeof(head) + ((uint64_t)head[0] + symbol) * sizeof(symbol);
    }
    return false;
}

bool dynamic_find(const struct dynamic *d, const char *name, uint64_t *address)
{
    if (d->gnu_hash)
        return find_by_gnu_hash(d, name, address);
    return find_by_old_hash(d, name, address);
}
