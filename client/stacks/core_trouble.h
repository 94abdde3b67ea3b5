/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/core_trouble: sentences that say why a core file, or an executable or library that belongs
 * to it, cannot be read.
 */
#ifndef CLIENT_STACKS_CORE_TROUBLE_H
#define CLIENT_STACKS_CORE_TROUBLE_H

#include "core_images.h"

/* Each of these functions writes a sentence to `out`, which has `size` bytes. path: the core file.
 */

/* Says that the core file cannot be opened, and why. Uses errno. */
void trouble_open(char *out, size_t size, const char *path);

/* Says why core_open() has failed. fd: the core file, which is still open. */
void trouble_core(char *out, size_t size, const char *path, int fd, enum core_result result,
                  uint16_t machine);

/* Says why core_images_give() has failed for the file `given`. */
void trouble_given(char *out, size_t size, const char *given, const struct core_images *images,
                   enum give_result result);

/* Says why a needed executable or library of the process was not found. file: the index of this
 * executable or library in core->files. */
void trouble_image(char *out, size_t size, const char *path, const struct core_images *images,
                   size_t file);

/* Says that the core file is cut. Writes only the end of a sentence: "is cut: 12.3 MB of 30.1 MB
 * are there". */
void trouble_cut(char *out, size_t size, const struct core *core);

#endif
