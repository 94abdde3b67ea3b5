/* SPDX-License-Identifier: BSD-3-Clause */
#include "shortage.h"

#include "procfs/shortage.h"
#include "reserve.h"

void ps_shortage_find(struct arena *arena, struct report_process *process)
{
    ps_reserve_lend(1);
    shortage_find(arena, process, "/proc/self", ps_reserve_given());
    ps_reserve_take_back();
}
