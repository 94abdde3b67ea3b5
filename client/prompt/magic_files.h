/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic_files: the magics %edit, %run, %save and %history.
 */
#ifndef CLIENT_PROMPT_MAGIC_FILES_H
#define CLIENT_PROMPT_MAGIC_FILES_H

void magic_files_register(void);

#endif
