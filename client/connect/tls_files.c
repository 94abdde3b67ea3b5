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

/* ---- What was asked for ---------------------------------------------------------------------- */

struct rpyc_tls tls_files_settings(const struct options *options)
{
    struct rpyc_tls tls = options->tls;

    if (!tls.server_name && (options->pid || *options->target.path))
        tls.server_name = "localhost"; /* there is no host that was named */
    return tls;
}

void tls_files_warn(const struct options *options)
{
    if (!options->tls.insecure_no_verify)
        return;
    fprintf(stderr,
            "%spystuck: --ssl-no-verify: whoever answers is taken for the server, so anyone in "
            "between can read and change all that is sent%s\n",
            color_begin(stderr, COLOR_ERROR), color_end(stderr));
}

/* ---- Files -----------------------------------------------------------------------------------
 *
 * Of what OpenSSL says of them ("no start line") nobody gets wiser.
 */

/* Of what is not a file, such as a pipe, nothing is read twice. */
static bool can_be_read_twice(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

/* The text of a file that an option names, for free(); NULL with *err. Empty for one that has NUL
 * characters, which is no PEM. */
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
        result = set_error(err, RPYC_EINVAL, "there is no certificate in %s (%s): PEM is wanted",
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
                           "the key in %s has a passphrase: one without is wanted", path);
    else if (strstr(text, "PRIVATE KEY-----"))
        result = 0;
    else if (tls->key_file)
        result =
            set_error(err, RPYC_EINVAL, "there is no key in %s (--ssl-key): PEM is wanted", path);
    else
        result =
            set_error(err, RPYC_EINVAL, "there is no key in %s: --ssl-key says where it is", path);
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

/* ---- What went wrong -------------------------------------------------------------------------
 *
 * librpyc says it in a line that ends with OpenSSL's words, which are known by a part that all
 * versions have in common.
 */

/* Of what is known while a sentence is made. */
struct trouble {
    const struct rpyc_tls *tls;
    const char *name; /* that was checked */
    const char *where;
    char text[sizeof(((struct rpyc_error *)NULL)->text)]; /* librpyc's */
    struct rpyc_error *err;
};

static bool has(const struct trouble *t, const char *part)
{
    return strcasestr(t->text, part) != NULL;
}

/* What follows a part of the text, which is all of it where that is not there. */
static const char *after(const struct trouble *t, const char *part)
{
    const char *found = strstr(t->text, part);

    return found ? found + strlen(part) : t->text;
}

/* Fills the error, with the code that it has. */
#define SAY(t, ...) set_error((t)->err, RPYC_ETLS, __VA_ARGS__)

static enum tls_files_trouble explain_library(const struct trouble *t)
{
    if (has(t, "librpyc-ssl.so.0: cannot open"))
        SAY(t, "TLS needs librpyc-ssl, which is not installed here: it is built along with pystuck "
               "where OpenSSL is there");
    else if (has(t, "of another version"))
        SAY(t, "TLS needs librpyc-ssl, and the one that is installed is of another version");
    else
        SAY(t, "TLS needs librpyc-ssl, which cannot be loaded: %s", after(t, "librpyc-ssl.so.0: "));
    return TLS_FILES_REFUSED;
}

/* What was given cannot be used, though the files looked well. */
static enum tls_files_trouble explain_mistake(const struct trouble *t)
{
    if (has(t, "mismatch"))
        SAY(t, "the key %s does not belong to the certificate %s",
            t->tls->key_file ? t->tls->key_file : t->tls->cert_file, t->tls->cert_file);
    else
        SAY(t, "%s", after(t, "TLS: "));
    return TLS_FILES_MISTAKEN;
}

static bool is_of_unknown_authority(const struct trouble *t)
{
    return has(t, "signed certificate") || has(t, "issuer certificate") ||
           has(t, "verify the first certificate");
}

/* We do not take the server's certificate. */
static enum tls_files_trouble explain_verification(const struct trouble *t)
{
    if (is_of_unknown_authority(t) && t->tls->ca_file)
        SAY(t, "the certificate of %s is not one of the CA in %s", t->where, t->tls->ca_file);
    else if (is_of_unknown_authority(t))
        SAY(t,
            "the certificate of %s is of no CA that this system trusts: --ssl-ca says of which "
            "it is",
            t->where);
    else if (has(t, "expired"))
        SAY(t, "the certificate of %s has expired, or that of its CA", t->where);
    else if (has(t, "not yet valid"))
        SAY(t, "the certificate of %s is not valid yet, or the clock is wrong here", t->where);
    else if (has(t, "mismatch"))
        SAY(t, "the certificate of %s is not for %s: --ssl-name says for whom it should be",
            t->where, t->name);
    else if (has(t, "purpose"))
        SAY(t, "the certificate of %s is not one for servers", t->where);
    else
        SAY(t, "the certificate of %s is not accepted: %s", t->where, after(t, "not accepted: "));
    return TLS_FILES_REFUSED;
}

/* What servers that do not take our certificate say. */
static const char *objection(const struct trouble *t)
{
    static const struct {
        const char *alert, *words;
    } known[] = {
        {"alert unknown ca", "it is of no CA that the server trusts"},
        {"alert certificate expired", "it has expired"},
        {"alert certificate revoked", "it has been revoked"},
        {"alert bad certificate", "it is damaged, not valid yet, or not allowed there"},
        {"alert unsupported certificate", "it is not one for clients"},
        {"alert certificate unknown", "it is not allowed there"},
        {"alert access denied", "it is not allowed there"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (has(t, known[i].alert))
            return known[i].words;
    return NULL;
}

/* The two do not come to terms. */
static enum tls_files_trouble explain_handshake(const struct trouble *t)
{
    const char *words = objection(t);

    if (has(t, "wants to see a certificate") || (has(t, "handshake failure") && !t->tls->cert_file))
        SAY(t, "%s wants a certificate of yours: --ssl-cert and --ssl-key", t->where);
    else if (words && t->tls->cert_file)
        SAY(t, "%s does not accept the certificate %s: %s", t->where, t->tls->cert_file, words);
    else if (has(t, "handshake failure"))
        SAY(t, "%s and this side have no kind of TLS in common", t->where);
    else if (has(t, "protocol version") || has(t, "unsupported protocol"))
        SAY(t, "%s speaks no TLS of version 1.2 or later", t->where);
    else
        SAY(t, "TLS with %s fails: %s", t->where, after(t, "TLS: "));
    return TLS_FILES_REFUSED;
}

enum tls_files_trouble tls_files_explain(const struct options *options, const char *where,
                                         struct rpyc_error *err)
{
    struct rpyc_tls tls = tls_files_settings(options);
    struct trouble t = {.tls = &tls, .where = where, .err = err};

    t.name = tls.server_name ? tls.server_name : options->target.host;
    memcpy(t.text, err->text, sizeof(t.text));
    if (has(&t, "does not speak TLS"))
        return TLS_FILES_UNCLEAR;
    if (has(&t, "TLS needs librpyc-ssl") || has(&t, "of another version"))
        return explain_library(&t);
    if (has(&t, "TLS: cannot use the "))
        return explain_mistake(&t);
    if (has(&t, "certificate is not accepted"))
        return explain_verification(&t);
    return explain_handshake(&t);
}
