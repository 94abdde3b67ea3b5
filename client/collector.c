/* SPDX-License-Identifier: BSD-3-Clause */
#include "collector.h"

const char collector_source[] =
#include "collector.inc"
    ;
