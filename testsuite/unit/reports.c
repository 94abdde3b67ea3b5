/* SPDX-License-Identifier: BSD-3-Clause */
#include "reports.h"

bool is_text(struct report_text text, const char *wanted)
{
    return text.data && text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
}

struct report_text literal(const char *text)
{
    return (struct report_text){text, text ? strlen(text) : 0};
}
