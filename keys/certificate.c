/* SPDX-License-Identifier: BSD-3-Clause */
#include "certificate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* The least time for which a CA is valid, in days. It is longer than the default for other
 * certificates, so that the CA can sign new ones later. */
#define CA_DAYS 3650

/* The start of a certificate's validity, in seconds from now: an hour ago, because the clocks of
 * machines differ. */
#define SINCE (-3600)

#define SERIAL_BITS 127

static void free_key_context(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

static void free_number(BIGNUM **number)
{
    BN_free(*number);
}

static void free_integer(ASN1_INTEGER **integer)
{
    ASN1_INTEGER_free(*integer);
}

static void free_extension(X509_EXTENSION **extension)
{
    X509_EXTENSION_free(*extension);
}

static void free_names(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static void free_time(ASN1_TIME **t)
{
    ASN1_TIME_free(*t);
}

#define CLEAN(function) __attribute__((cleanup(function)))

void certificate_clear(struct certificate *c)
{
    X509_free(c->cert);
    EVP_PKEY_free(c->key);
    *c = (struct certificate){0};
}

/* Sets a parameter of the key that will be made. Does not use EVP_PKEY_CTX_set_ec_...(): these are
 * functions in OpenSSL 3, but macros in OpenSSL 1.1. This call works with both versions. */
static bool set_parameter(EVP_PKEY_CTX *ctx, int command, int value)
{
    return EVP_PKEY_CTX_ctrl(ctx, EVP_PKEY_EC, EVP_PKEY_OP_PARAMGEN | EVP_PKEY_OP_KEYGEN, command,
                             value, NULL) > 0;
}

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx CLEAN(free_key_context) = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 ||
        !set_parameter(ctx, EVP_PKEY_CTRL_EC_PARAMGEN_CURVE_NID, NID_X9_62_prime256v1) ||
        !set_parameter(ctx, EVP_PKEY_CTRL_EC_PARAM_ENC, OPENSSL_EC_NAMED_CURVE) ||
        EVP_PKEY_keygen(ctx, &key) <= 0)
        return NULL;
    return key;
}

/* ---- The fields of a certificate ------------------------------------------------------------- */

static int set_serial(X509 *cert)
{
    BIGNUM *number CLEAN(free_number) = BN_new();

    if (!number || !BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY))
        return -1;
    return BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) ? 0 : -1;
}

/* Makes the certificate valid for this number of days, but not longer than the CA. */
static int set_times(X509 *cert, int days, const struct certificate *ca)
{
    ASN1_TIME *end = X509_getm_notAfter(cert);
    const ASN1_TIME *last = ca->cert ? X509_get0_notAfter(ca->cert) : NULL;

    if (!X509_time_adj_ex(X509_getm_notBefore(cert), 0, SINCE, NULL) ||
        !X509_time_adj_ex(end, days, 0, NULL))
        return -1;
    if (last && ASN1_TIME_compare(end, last) > 0)
        return X509_set1_notAfter(cert, last) ? 0 : -1;
    return 0;
}

static int set_name(X509 *cert, const char *name)
{
    return X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)name, -1, -1, 0)
               ? 0
               : -1;
}

/* An X509V3_CTX, and room for the members that later versions of OpenSSL add to it: openssl.h may
 * load a later version than that of the headers. */
struct context {
    X509V3_CTX ctx;
    void *room[8];
};

/* Adds an extension. value: in the syntax of OpenSSL's configuration files; it must not contain
 * text that comes from the user. */
static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension CLEAN(free_extension) = NULL;
    struct context context;

    X509V3_set_ctx_nodb(&context.ctx);
    X509V3_set_ctx(&context.ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context.ctx, nid, value);
    return extension && X509_add_ext(cert, extension, -1) ? 0 : -1;
}

/* Adds the extensions for the purpose of a certificate. usage: its extended key usage; NULL: a CA.
 */
static int add_kind(X509 *cert, X509 *issuer, const char *usage)
{
    if (!usage)
        return add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") < 0 ||
                       add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") <
                           0 ||
                       add_extension(cert, cert, NID_subject_key_identifier, "hash") < 0
                   ? -1
                   : 0;
    return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
                   add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") < 0 ||
                   add_extension(cert, issuer, NID_ext_key_usage, usage) < 0 ||
                   add_extension(cert, issuer, NID_subject_key_identifier, "hash") < 0 ||
                   add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") < 0
               ? -1
               : 0;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static bool is_address(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

bool certificate_is_name(const char *name)
{
    const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    size_t label = 0;

    if (is_address(name))
        return true;
    if (strlen(name) > 253)
        return false;
    for (; *rest; rest++) {
        if (*rest == '.' && label == 0)
            return false;
        if (*rest != '.' && *rest != '-' && *rest != '_' && !isalnum((unsigned char)*rest))
            return false;
        label = *rest == '.' ? 0 : label + 1;
    }
    return label > 0;
}

/* Adds a host name (GEN_DNS) or a mail address (GEN_EMAIL). */
static int add_text_name(GENERAL_NAMES *to, int type, const char *text)
{
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();

    if (!string || !name || !ASN1_STRING_set(string, text, -1)) {
        ASN1_IA5STRING_free(string);
        GENERAL_NAME_free(name);
        return -1;
    }
    GENERAL_NAME_set0_value(name, type, string);
    if (sk_GENERAL_NAME_push(to, name))
        return 0;
    GENERAL_NAME_free(name);
    return -1;
}

static int add_address(GENERAL_NAMES *to, const char *text)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
    GENERAL_NAME *name = GENERAL_NAME_new();

    if (!address || !name) {
        ASN1_OCTET_STRING_free(address);
        GENERAL_NAME_free(name);
        return -1;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    if (sk_GENERAL_NAME_push(to, name))
        return 0;
    GENERAL_NAME_free(name);
    return -1;
}

static int add_server_names(X509 *cert, const struct names *names)
{
    GENERAL_NAMES *list CLEAN(free_names) = GENERAL_NAMES_new();

    if (!list)
        return -1;
    for (size_t i = 0; i < names->count; i++)
        if ((is_address(names->all[i]) ? add_address(list, names->all[i])
                                       : add_text_name(list, GEN_DNS, names->all[i])) < 0)
            return -1;
    return X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1 ? 0 : -1;
}

static int add_mail_address(X509 *cert, const char *address)
{
    GENERAL_NAMES *list CLEAN(free_names) = GENERAL_NAMES_new();

    if (!list || add_text_name(list, GEN_EMAIL, address) < 0)
        return -1;
    return X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1 ? 0 : -1;
}

/* ---- Certificates ---------------------------------------------------------------------------- */

/* Makes an unsigned certificate with the fields that all kinds of certificates have. usage: see
 * add_kind. If ca is empty, the new certificate is that of a CA. */
static int begin(struct certificate *out, const char *name, const char *usage, int days,
                 const struct certificate *ca)
{
    X509 *cert = X509_new(), *issuer = ca->cert ? ca->cert : cert;

    *out = (struct certificate){cert, make_key()};
    if (!cert || !out->key || !X509_set_version(cert, 2) /* means version 3 */ ||
        set_serial(cert) < 0 || set_times(cert, days, ca) < 0 || set_name(cert, name) < 0 ||
        !X509_set_issuer_name(cert, X509_get_subject_name(issuer)) ||
        !X509_set_pubkey(cert, out->key))
        return -1;
    return add_kind(cert, issuer, usage);
}

/* Signs the certificate if result is 0. If result is -1 or signing fails, frees the certificate and
 * returns -1. */
static int end(struct certificate *out, int result, EVP_PKEY *key)
{
    if (result == 0 && X509_sign(out->cert, key, EVP_sha256()) > 0)
        return 0;
    certificate_clear(out);
    return -1;
}

int certificate_make_ca(struct certificate *out, int days)
{
    const struct certificate none = {0};
    unsigned char unique[4];
    char name[32];
    int result;

    *out = none;
    if (RAND_bytes(unique, sizeof(unique)) != 1)
        return -1;
    snprintf(name, sizeof(name), "pystuck CA %02x%02x%02x%02x", unique[0], unique[1], unique[2],
             unique[3]);
    result = begin(out, name, NULL, days > CA_DAYS ? days : CA_DAYS, &none);
    return end(out, result, out->key);
}

int certificate_make_server(struct certificate *out, const struct names *names, int days,
                            const struct certificate *ca)
{
    int result = begin(out, "pystuck server", "serverAuth", days, ca);

    if (result == 0)
        result = add_server_names(out->cert, names);
    return end(out, result, ca->key);
}

int certificate_make_client(struct certificate *out, const char *name, int days,
                            const struct certificate *ca)
{
    int result = begin(out, name, "clientAuth", days, ca);

    if (result == 0 && strchr(name, '@'))
        result = add_mail_address(out->cert, name);
    return end(out, result, ca->key);
}

/* ---- Revoked certificates -------------------------------------------------------------------- */

static X509_CRL *make_list(const struct certificate *ca)
{
    X509_EXTENSION *extension CLEAN(free_extension) = NULL;
    X509_CRL *list = X509_CRL_new();
    struct context context;

    X509V3_set_ctx_nodb(&context.ctx);
    X509V3_set_ctx(&context.ctx, ca->cert, NULL, NULL, list, 0);
    extension =
        X509V3_EXT_conf_nid(NULL, &context.ctx, NID_authority_key_identifier, "keyid:always");
    if (list && extension && X509_CRL_set_version(list, 1) /* means version 2 */ &&
        X509_CRL_set_issuer_name(list, X509_get_subject_name(ca->cert)) &&
        X509_CRL_add_ext(list, extension, -1))
        return list;
    X509_CRL_free(list);
    return NULL;
}

/* Adds 1 to the CRL number of the list; the first number is 1. */
static int count_up(X509_CRL *list)
{
    ASN1_INTEGER *was CLEAN(free_integer) = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
    BIGNUM *number CLEAN(free_number) = was ? ASN1_INTEGER_to_BN(was, NULL) : BN_new();
    ASN1_INTEGER *next CLEAN(free_integer) = NULL;

    if (!number || !BN_add_word(number, 1))
        return -1;
    next = BN_to_ASN1_INTEGER(number, NULL);
    return next && X509_CRL_add1_ext_i2d(list, NID_crl_number, next, 0, X509V3_ADD_REPLACE) == 1
               ? 0
               : -1;
}

static int add_entry(X509_CRL *list, X509 *cert, const ASN1_TIME *now)
{
    X509_REVOKED *entry = X509_REVOKED_new();

    if (entry && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert)) &&
        X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)now) &&
        X509_CRL_add0_revoked(list, entry))
        return 0;
    X509_REVOKED_free(entry);
    return -1;
}

int certificate_revoke(X509_CRL **list, X509 *cert, const struct certificate *ca)
{
    ASN1_TIME *now CLEAN(free_time) = X509_time_adj_ex(NULL, 0, SINCE, NULL);
    X509_REVOKED *found;

    if (!*list)
        *list = make_list(ca);
    if (!*list || !now)
        return -1;
    if (X509_CRL_get0_by_serial(*list, &found, X509_get_serialNumber(cert)) > 0)
        return 0;
    if (add_entry(*list, cert, now) < 0 || count_up(*list) < 0 ||
        !X509_CRL_set1_lastUpdate(*list, now) ||
        !X509_CRL_set1_nextUpdate(*list, X509_get0_notAfter(ca->cert)) || !X509_CRL_sort(*list) ||
        X509_CRL_sign(*list, ca->key, EVP_sha256()) <= 0)
        return -1;
    return 1;
}
