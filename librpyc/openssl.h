/* SPDX-License-Identifier: BSD-3-Clause
 *
 * OpenSSL: linked as usual or, in a build that can be moved (--with-static-deps), loaded at run
 * time. Such a build uses the OpenSSL 3 of the system; if the system has none, it uses OpenSSL 1.1.
 * The version with which it was compiled does not matter. In such a build, each function in
 * openssl_functions.txt is a macro for a pointer in a table. A function that is used, but is not in
 * this list, cannot be linked.
 */
#ifndef RPYC_OPENSSL_H
#define RPYC_OPENSSL_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

/* Loads OpenSSL if it is not linked. Must return true before any function of OpenSSL is called;
 * may be called by several threads. Returns false if this system has no OpenSSL: *why is then set
 * to a sentence, which stays valid. */
bool openssl_load(const char **why);

/* These functions take a code of OpenSSL's error queue. The versions of OpenSSL compose such codes
 * in different ways. openssl_reason returns the reason in the code: SSL_R_... or X509_R_....
 * openssl_is_nomem returns true if the reason is ERR_R_MALLOC_FAILURE, and openssl_is_pem returns
 * true if the reason is ERR_R_PEM_LIB. */
int openssl_reason(unsigned long code);
bool openssl_is_nomem(unsigned long code);
bool openssl_is_pem(unsigned long code);

#ifdef RELOCATABLE
#if OPENSSL_VERSION_NUMBER < 0x30000000L
X509 *SSL_get1_peer_certificate(const SSL *ssl); /* as 1.1's SSL_get_peer_certificate */
#endif

struct openssl {
#define OPENSSL_FUNCTION(name) __typeof__(&(name)) name;
#include "librpyc/openssl_functions.inc"
#undef OPENSSL_FUNCTION
};

extern struct openssl openssl;
#include "librpyc/openssl_defines.inc"

#elif OPENSSL_VERSION_NUMBER < 0x30000000L
#define SSL_get1_peer_certificate SSL_get_peer_certificate
#endif

#endif
