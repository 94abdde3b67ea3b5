/* SPDX-License-Identifier: BSD-3-Clause */
#include "tls_library.h"

#include <dlfcn.h>

#include "tls.h"
#include "unit.h"

bool library_missing, library_replaced;
const struct stream_tls *other_library;

/* The linker makes all calls of dlopen and dlsym those of the __wrap_ functions. They are visible,
 * because it also does so in AddressSanitizer's library. */
void *__real_dlopen(const char *file, int mode);
void *__real_dlsym(void *library, const char *name);
void *__wrap_dlopen(const char *file, int mode) __attribute__((visibility("default")));
void *__wrap_dlsym(void *library, const char *name) __attribute__((visibility("default")));

void *__wrap_dlopen(const char *file, int mode)
{
    return __real_dlopen(library_missing || strchr(file, '/') ? "/nonexistent/ssl.so" : file, mode);
}

void *__wrap_dlsym(void *library, const char *name)
{
    void *found = __real_dlsym(library, name);

    assert_string_equal(name, TLS_SYMBOL);
    return library_replaced ? (void *)other_library : found;
}
