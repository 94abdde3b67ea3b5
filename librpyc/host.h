/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The host of a C caller's connection: serves what the other side asks of the objects that it was
 * shown.
 *
 * Our root is none of them. A symmetric server (one that runs ClassicService
 * or MasterService) installs our service's names when it connects, and is given stand-ins that do
 * nothing.
 */
#ifndef RPYC_HOST_H
#define RPYC_HOST_H

#include "value.h"

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */

/* An rpyc_conn over a stream, which it takes.
 *   guessing  the generation in config is a guess: the first request of the peer tells whether it
 * holds request_timeout_ms  negative: none */
int rpyc_conn_new(rpyc_conn **out, const struct stream *stream, const struct conn_config *config,
                  bool guessing, int request_timeout_ms, struct rpyc_error *err);

#endif
