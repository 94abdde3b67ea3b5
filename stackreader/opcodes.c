/* SPDX-License-Identifier: BSD-3-Clause */
#include "opcodes.h"

#include <stddef.h>

#include "opcode_tables.inc"

const struct opcode *opcodes_of(int minor)
{
    switch (minor) {
    case 9:
        return opcodes_3_9;
    case 10:
        return opcodes_3_10;
    case 11:
        return opcodes_3_11;
    case 12:
        return opcodes_3_12;
    case 13:
        return opcodes_3_13;
    case 14:
        return opcodes_3_14;
    case 15:
        return opcodes_3_15;
    default:
        return NULL;
    }
}

int opcode_effect(const struct opcode *o, uint32_t argument)
{
    int64_t times = 0;

    switch ((enum effect)o->effect) {
    case EFFECT_UNKNOWN:
        break;
    case EFFECT_LINEAR:
        times = argument;
        break;
    case EFFECT_BIT_0:
        times = argument & 1;
        break;
    case EFFECT_BIT_2:
        times = argument >> 2 & 1;
        break;
    case EFFECT_BITS:
        times = __builtin_popcount(argument & 15);
        break;
    case EFFECT_IS_3:
        times = argument == 3;
        break;
    case EFFECT_UNPACK:
        times = (argument & 0xff) + (argument >> 8);
        break;
    }
    times = o->base + o->factor * times;
    return times > INT16_MAX ? INT16_MAX : times < INT16_MIN ? INT16_MIN : (int)times;
}
