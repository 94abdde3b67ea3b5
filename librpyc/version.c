/* SPDX-License-Identifier: BSD-3-Clause */
#include "version.h"

#include <string.h>

#include "error.h"

/* The sizes of the structs for a program that leaves the member `size` 0. Such a program knows the
 * members of version 0.9. The last one of these members is named below for each struct. Later
 * versions add members behind it, and leave the lines below unchanged. */
#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))
#define OPTIONS_SIZE_0_9     END_OF(struct rpyc_options, silence_ms)
#define TLS_SIZE_0_9         END_OF(struct rpyc_tls, insecure_no_verify)

/* A program passes the sizeof of its version, which includes the padding at the end. The padding
 * may contain anything. So a member that a later version adds must begin at or after the size of
 * the version before. To add one, replace the size here, and assert the offset of the member. */
#define HAS_SIZE(type, bytes)                                                                      \
    _Static_assert(sizeof(void *) != 8 || sizeof(type) == (bytes), "it must not change")
HAS_SIZE(struct rpyc_options, 120);
HAS_SIZE(struct rpyc_tls, 48);
HAS_SIZE(struct rpyc_ops, 64);

const char *rpyc_version(void)
{
    return RPYC_VERSION;
}

static int copy(void *out, size_t known, const void *given, size_t size, struct rpyc_error *err)
{
    const char *bytes = given;

    for (size_t i = known; i < size; i++)
        if (bytes[i])
            return error_set(err, RPYC_EINVAL,
                             "librpyc " RPYC_VERSION " does not have an option that is used: the "
                             "program was compiled with a later version");
    memset(out, 0, known);
    if (size > 0)
        memcpy(out, given, size < known ? size : known);
    return 0;
}

int version_options(struct rpyc_options *out, const struct rpyc_options *given,
                    struct rpyc_error *err)
{
    size_t size = given && given->size ? given->size : OPTIONS_SIZE_0_9;

    return copy(out, sizeof(*out), given, given ? size : 0, err);
}

int version_tls(struct rpyc_tls *out, const struct rpyc_tls *given, struct rpyc_error *err)
{
    size_t size = given && given->size ? given->size : TLS_SIZE_0_9;

    return copy(out, sizeof(*out), given, given ? size : 0, err);
}
