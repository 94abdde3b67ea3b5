/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/tls_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "color.h"
#include "set_error.h"
#include "connect/address.h"
#include "textfile.h"

/* ---- The options ----------------------------------------------------------------------------- */

struct rpyc_tls tls_files_settings(const struct options *options)
{
    struct rpyc_tls tls = options->tls;

    if (!tls.server_name && (options->pid || *options->target.path))
        tls.server_name = "localhost"; /* the user named no host */
    return tls;
}

void tls_files_warn(const struct options *options)
{
    if (!options->tls.insecure_no_verify)
        return;
    fprintf(
        stderr,
        "%spystuck: --ssl-no-verify: the server's certificate is not checked, so an attacker on "
        "the network can read and change everything that is sent%s\n",
        color_begin(stderr, COLOR_ERROR), color_end(stderr));
}

/* ---- Files -----------------------------------------------------------------------------------
 *
 * The files are checked before OpenSSL reads them, because OpenSSL's messages ("no start line") do
 * not help the user.
 */

/* False for a file such as a pipe. Such a file is not checked, because OpenSSL could not read its
 * text again after the check. */
static bool can_be_read_twice(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

/* Reads the file that an option names. Returns the text of the file, for free(), or NULL with *err
 * filled. If the file contains NUL characters, the file is not PEM, and the text is empty. */
static char *read_pem(const char *option, const char *path, struct rpyc_error *err)
{
    char *text = textfile_read(path);

    if (!text && errno == EILSEQ)
        text = strdup("");
    if (!text)
        set_error(err, RPYC_EINVAL, "cannot read %s (%s): %s", path, option, strerror(errno));
    return text;
}

static int check_certificate(const char *option, const char *path, struct rpyc_error *err)
{
    char *text;
    int result = 0;

    if (!path || !can_be_read_twice(path))
        return 0;
    text = read_pem(option, path, err);
    if (!text)
        return -1;
    if (!strstr(text, "CERTIFICATE-----"))
        result = set_error(err, RPYC_EINVAL, "%s (%s) contains no certificate: expected a PEM file",
                           path, option);
    free(text);
    return result;
}

static int check_key(const struct rpyc_tls *tls, struct rpyc_error *err)
{
    const char *path = tls->key_file ? tls->key_file : tls->cert_file;
    char *text;
    int result = 0;

    if (!path || !can_be_read_twice(path))
        return 0;
    text = read_pem("--ssl-key", path, err);
    if (!text)
        return -1;
    if (strstr(text, "ENCRYPTED PRIVATE KEY-----") || strstr(text, "4,ENCRYPTED"))
        result = set_error(err, RPYC_EINVAL,
                           "the key in %s has a passphrase: expected a key without one", path);
    else if (strstr(text, "PRIVATE KEY-----"))
        result = 0;
    else if (tls->key_file)
        result = set_error(err, RPYC_EINVAL, "%s (--ssl-key) contains no key: expected a PEM file",
                           path);
    else
        result =
            set_error(err, RPYC_EINVAL,
                      "%s (--ssl-cert) contains no key: name the key's file with --ssl-key", path);
    free(text);
    return result;
}

int tls_files_check(const struct rpyc_tls *tls, struct rpyc_error *err)
{
    if (check_certificate("--ssl-ca", tls->ca_file, err) < 0 ||
        check_certificate("--ssl-cert", tls->cert_file, err) < 0)
        return -1;
    return check_key(tls, err);
}

/* ---- Errors of a connection ------------------------------------------------------------------ */

/* The facts about an error of TLS. */
struct trouble {
    const struct rpyc_tls *tls;
    const char *name; /* the certificate must be for this name */
    const char *where;
    enum rpyc_tls_reason reason;
    char text[sizeof(((struct rpyc_error *)NULL)->text)]; /* the text of the error from librpyc */
    struct rpyc_error *err;
};

/* t->text ends with a message of OpenSSL or of the system. This message begins after `part`.
 * Returns the message, or all of t->text if `part` is not in it. */
static const char *after(const struct trouble *t, const char *part)
{
    const char *found = strstr(t->text, part);

    return found ? found + strlen(part) : t->text;
}

/* Replaces the text of the error. Arguments as for printf(). */
#define SAY(t, ...) set_error((t)->err, RPYC_ETLS, __VA_ARGS__)

static void explain_library(const struct trouble *t)
{
    if (t->reason == RPYC_TLS_NO_LIBRARY)
        SAY(t, "TLS needs librpyc-ssl.so, which is not installed: build pystuck with OpenSSL");
    else if (t->reason == RPYC_TLS_OTHER_LIBRARY)
        SAY(t, "TLS needs librpyc-ssl.so of this version of pystuck, but another version is "
               "installed");
    else
        SAY(t, "TLS needs librpyc-ssl.so, which cannot be loaded: %s",
            after(t, "librpyc-ssl.so.0: "));
}

/* Explains that OpenSSL cannot use the certificate or the key, although tls_files_check() found no
 * error in the files. */
static void explain_mistake(const struct trouble *t)
{
    if (t->reason == RPYC_TLS_KEY_MISMATCH)
        SAY(t, "the key %s does not belong to the certificate %s",
            t->tls->key_file ? t->tls->key_file : t->tls->cert_file, t->tls->cert_file);
    else
        SAY(t, "%s", after(t, "TLS: "));
}

/* Explains why the client does not accept the server's certificate. */
static void explain_verification(const struct trouble *t)
{
    switch (t->reason) {
    case RPYC_TLS_SERVER_CA_UNKNOWN:
        if (t->tls->ca_file)
            SAY(t, "the certificate of %s is not signed by the CA in %s", t->where,
                t->tls->ca_file);
        else
            SAY(t,
                "the certificate of %s is not signed by a CA that this system trusts: name the CA "
                "with --ssl-ca FILE",
                t->where);
        break;
    case RPYC_TLS_SERVER_EXPIRED:
        SAY(t, "the certificate of %s, or of its CA, has expired", t->where);
        break;
    case RPYC_TLS_SERVER_NOT_YET_VALID:
        SAY(t, "the certificate of %s is not valid yet, or the clock of this machine is wrong",
            t->where);
        break;
    case RPYC_TLS_SERVER_OTHER_NAME:
        SAY(t, "the certificate of %s is not for %s: name the expected server with --ssl-name",
            t->where, t->name);
        break;
    case RPYC_TLS_SERVER_PURPOSE:
        SAY(t, "the certificate of %s is not a server certificate", t->where);
        break;
    default:
        SAY(t, "the certificate of %s is not accepted: %s", t->where, after(t, "not accepted: "));
        break;
    }
}

/* Returns why a server does not accept the client's certificate. NULL: the error has another
 * reason. */
static const char *objection(enum rpyc_tls_reason reason)
{
    switch (reason) {
    case RPYC_TLS_CLIENT_CA_UNKNOWN:
        return "it is not signed by a CA that the server trusts";
    case RPYC_TLS_CLIENT_EXPIRED:
        return "it has expired";
    case RPYC_TLS_CLIENT_REVOKED:
        return "it has been revoked";
    case RPYC_TLS_CLIENT_BAD:
        return "it is damaged, not valid yet, or not allowed";
    case RPYC_TLS_CLIENT_PURPOSE:
        return "it is not a client certificate";
    case RPYC_TLS_CLIENT_DENIED:
        return "the server does not allow this certificate";
    default:
        return NULL;
    }
}

/* Explains why the handshake failed, if neither the library, the user's files nor the server's
 * certificate are the reason. */
static void explain_handshake(const struct trouble *t)
{
    const char *words = objection(t->reason);
    bool has_no_cipher = t->reason == RPYC_TLS_NO_COMMON_CIPHER;

    if (t->reason == RPYC_TLS_CLIENT_MISSING || (has_no_cipher && !t->tls->cert_file))
        SAY(t, "%s requires a client certificate: pass --ssl-cert and --ssl-key", t->where);
    else if (words && t->tls->cert_file)
        SAY(t, "%s does not accept the certificate %s: %s", t->where, t->tls->cert_file, words);
    else if (has_no_cipher)
        SAY(t, "%s and pystuck have no TLS version and cipher in common", t->where);
    else if (t->reason == RPYC_TLS_NO_COMMON_VERSION)
        SAY(t, "%s does not support TLS 1.2 or later", t->where);
    else
        SAY(t, "TLS with %s failed: %s", t->where, after(t, "TLS: "));
}

enum tls_files_trouble tls_files_explain(const struct options *options, const char *where,
                                         struct rpyc_error *err)
{
    struct rpyc_tls tls = tls_files_settings(options);
    struct trouble t = {.tls = &tls, .where = where, .reason = err->tls, .err = err};

    t.name = tls.server_name ? tls.server_name : options->target.host;
    memcpy(t.text, err->text, sizeof(t.text));
    switch (err->tls) {
    case RPYC_TLS_NOT_SPOKEN:
        return TLS_FILES_UNCLEAR;
    case RPYC_TLS_BAD_FILE:
    case RPYC_TLS_KEY_MISMATCH:
        explain_mistake(&t);
        return TLS_FILES_USAGE;
    case RPYC_TLS_NO_LIBRARY:
    case RPYC_TLS_BAD_LIBRARY:
    case RPYC_TLS_OTHER_LIBRARY:
        explain_library(&t);
        break;
    case RPYC_TLS_NO_OPENSSL: /* the text says what to install */
        break;
    case RPYC_TLS_SERVER_CA_UNKNOWN:
    case RPYC_TLS_SERVER_EXPIRED:
    case RPYC_TLS_SERVER_NOT_YET_VALID:
    case RPYC_TLS_SERVER_OTHER_NAME:
    case RPYC_TLS_SERVER_PURPOSE:
    case RPYC_TLS_SERVER_REFUSED:
        explain_verification(&t);
        break;
    default:
        explain_handshake(&t);
        break;
    }
    return TLS_FILES_REFUSED;
}
