/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic_reconnect: the magic %reconnect.
 */
#ifndef CLIENT_PROMPT_MAGIC_RECONNECT_H
#define CLIENT_PROMPT_MAGIC_RECONNECT_H

void magic_reconnect_register(void);

#endif
