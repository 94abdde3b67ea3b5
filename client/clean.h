/* SPDX-License-Identifier: BSD-3-Clause
 *
 * clean: attributes that free what a variable owns when the variable goes out of scope. Initialise
 * such a variable to NULL, and a struct rpyc_error to RPYC_ERROR_INIT.
 */
#ifndef CLIENT_CLEAN_H
#define CLIENT_CLEAN_H

#include <stdlib.h>

#include <rpyc.h>

static inline void clean_value(rpyc_value **value)
{
    rpyc_unref(*value);
}

static inline void clean_text(char **text)
{
    free(*text);
}

#define CLEAN_VALUE __attribute__((cleanup(clean_value)))
#define CLEAN_TEXT  __attribute__((cleanup(clean_text)))
#define CLEAN_ERROR __attribute__((cleanup(rpyc_error_clear)))

#endif
