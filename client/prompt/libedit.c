/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "prompt/libedit.h"

#ifdef LIBEDIT_FILE

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct libedit libedit;

static const char *const names[] = {
#define NAME(name) #name,
    LIBEDIT_FUNCTIONS(NAME)};

_Static_assert(sizeof(names) / sizeof(*names) == sizeof(libedit) / sizeof(void (*)(void)),
               "a name for each pointer");

const char *libedit_load(void)
{
    static char why[256];
    void *library = dlopen(LIBEDIT_FILE, RTLD_NOW | RTLD_LOCAL), *function;

    if (!library)
        return "this system has no " LIBEDIT_FILE
               ": install libedit2 (Debian, Ubuntu) or libedit (Fedora, Alpine)";
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        function = dlsym(library, names[i]);
        if (!function) {
            snprintf(why, sizeof(why), "the " LIBEDIT_FILE " of this system has no function %s",
                     names[i]);
            return why;
        }
        memcpy((char *)&libedit + i * sizeof(function), &function, sizeof(function));
    }
    return NULL;
}

#else

#define MEMBER(name) .name = name,
struct libedit libedit = {LIBEDIT_FUNCTIONS(MEMBER)};

const char *libedit_load(void)
{
    return NULL;
}

#endif
