/* SPDX-License-Identifier: BSD-3-Clause */
#include "openssl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static bool is_before_3(void)
{
    return OpenSSL_version_num() < 0x30000000L;
}

int openssl_reason(unsigned long code)
{
    return (int)(code & (is_before_3() ? 0xFFF : 0x7FFFFF));
}

bool openssl_is_nomem(unsigned long code)
{
    return openssl_reason(code) == (is_before_3() ? 65 : 256 | 3 << 18);
}

bool openssl_is_pem(unsigned long code)
{
    return openssl_reason(code) == (is_before_3() ? ERR_LIB_PEM : ERR_LIB_PEM | 2 << 18);
}

#ifdef RELOCATABLE

struct openssl openssl;

static const char *const names[] = {
#define OPENSSL_FUNCTION(name) #name,
#include "librpyc/openssl_functions.inc"
};

_Static_assert(sizeof(names) / sizeof(*names) == sizeof(openssl) / sizeof(void (*)(void)),
               "a name for each pointer");

static char trouble[256]; /* empty: OpenSSL was loaded */

/* Returns the name that a function of OpenSSL 3 has in OpenSSL 1.1. */
static const char *former_name(const char *name)
{
    return strcmp(name, "SSL_get1_peer_certificate") == 0 ? "SSL_get_peer_certificate" : name;
}

/* Fills the table. libcrypto's functions are found as well, because libssl needs libcrypto. */
static void find_functions(void *library)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *function = dlsym(library, names[i]);

        if (!function)
            function = dlsym(library, former_name(names[i]));
        if (!function) {
            snprintf(trouble, sizeof(trouble), "the libssl of this system has no function %s",
                     names[i]);
            return;
        }
        memcpy((char *)&openssl + i * sizeof(function), &function, sizeof(function));
    }
}

static void load(void)
{
    void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);

    if (!library)
        library = dlopen("libssl.so.1.1", RTLD_NOW | RTLD_LOCAL);
    if (library)
        find_functions(library);
    else
        snprintf(trouble, sizeof(trouble),
                 "TLS needs OpenSSL 3 or 1.1, and this system has neither: install openssl "
                 "(Debian, Ubuntu) or openssl-libs (Fedora)");
}

bool openssl_load(const char **why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    *why = trouble;
    return trouble[0] == '\0';
}

/* The inline functions of OpenSSL's headers call OPENSSL_sk_push by its name, not through the macro
 * of this name. */
#undef OPENSSL_sk_push
int OPENSSL_sk_push(OPENSSL_STACK *stack, const void *item)
{
    return openssl.OPENSSL_sk_push(stack, item);
}

#else

bool openssl_load(const char **why)
{
    (void)why;
    return true;
}

#endif
