/* SPDX-License-Identifier: BSD-3-Clause
 *
 * version: the version of librpyc; copies the structs of programs that were compiled with the
 * header of another version, in which the structs may be shorter or longer.
 */
#ifndef RPYC_VERSION_H
#define RPYC_VERSION_H

#include "rpyc.h"

/* Copy the caller's structs to `out`. Members that the caller's version does not have become zero.
 * Members that only the caller's version has must be zero; otherwise the functions fail with
 * RPYC_EINVAL. given may be NULL: *out is filled with zeros. version_options does not copy
 * given->tls, a pointer. */
int version_options(struct rpyc_options *out, const struct rpyc_options *given,
                    struct rpyc_error *err);
int version_tls(struct rpyc_tls *out, const struct rpyc_tls *given, struct rpyc_error *err);

#endif
