/* SPDX-License-Identifier: BSD-3-Clause
 *
 * complain: prints on stderr why something failed.
 */
#ifndef CLIENT_COMPLAIN_H
#define CLIENT_COMPLAIN_H

#include <rpyc.h>

/* The exit statuses besides EXIT_SUCCESS and EXIT_FAILURE. EXIT_FAILURE means that something failed
 * after a server was found. stacks/check.h has those for --check. See pystuck(1). */
enum { EXIT_USAGE = 2, EXIT_NO_SERVER = 2 };

/* Prints a line on stderr. The line may quote text of the debuggee, so text_print() escapes it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Like complain(), for a line that may quote a name with line endings, which must not break it. */
void complain_name(const char *line);

/* Prints an error after the words in `doing`. For a remote exception, also prints the traceback.
 * Returns EXIT_FAILURE. */
int complain_failure(const char *doing, const struct rpyc_error *err);

/* Checks that all output on stdout was written, and returns the exit status. A reader that ends
 * (`pystuck | head`) normally kills pystuck by SIGPIPE, silently, as shell users expect. This check
 * is for a full disk, and for EPIPE if the parent process ignores SIGPIPE. */
int complain_unless_flushed(void);

#endif
