/* SPDX-License-Identifier: BSD-3-Clause */
#include "gil.h"

static bool gil_address(const struct python *py, uint64_t interpreter, uint64_t *address)
{
    if (py->offsets->interpreter.gil >= 0)
        return read_member(py, interpreter, py->offsets->interpreter.gil, address) && *address;
    *address = py->runtime + (uint64_t)py->offsets->runtime.gil;
    return true;
}

bool gil_read(const struct python *py, uint64_t interpreter, struct gil *gil)
{
    const struct offsets *o = py->offsets;
    struct memory_piece pieces[4];
    uint64_t address;
    int32_t locked;

    if (!gil_address(py, interpreter, &address))
        return false;
    pieces[0] = (struct memory_piece){address + (uint64_t)o->gil.locked, &locked, sizeof(locked)};
    pieces[1] =
        (struct memory_piece){address + (uint64_t)o->gil.holder, &gil->holder, sizeof(gil->holder)};
    pieces[2] = (struct memory_piece){address + (uint64_t)o->gil.switches, &gil->switches,
                                      sizeof(gil->switches)};
    pieces[3] = (struct memory_piece){address + (uint64_t)o->gil.interval, &gil->interval_us,
                                      sizeof(gil->interval_us)};
    if (!py->memory.read(&py->memory, pieces, 4))
        return false;
    gil->locked = locked == 1; /* -1: the GIL has not been created yet */
    return true;
}
