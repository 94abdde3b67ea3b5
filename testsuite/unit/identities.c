/* SPDX-License-Identifier: BSD-3-Clause */
#include "identities.h"

struct identity ca, other_ca, server, expired, stranger, client;
static char directory[] = "/tmp/pystuck-test-XXXXXX";

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

struct identity make_identity(const char *name, const struct identity *issuer, int days,
                              const char *alternative_names)
{
    static long serial = 1;
    struct identity i = {make_key(), X509_new()};
    X509_NAME *subject = X509_get_subject_name(i.cert);
    const int day = 24 * 60 * 60;

    X509_set_version(i.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(i.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(i.cert), -day);
    X509_gmtime_adj(X509_getm_notAfter(i.cert), (days - 1) * day - 60L);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(i.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    X509_set_pubkey(i.cert, i.key);
    add_extension(i.cert, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (alternative_names)
        add_extension(i.cert, NID_subject_alt_name, alternative_names);
    assert_true(X509_sign(i.cert, issuer ? issuer->key : i.key, EVP_sha256()) > 0);
    return i;
}

void free_identity(struct identity *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->cert);
}

void write_pem(const char *file, X509 *cert, EVP_PKEY *key, const char *passphrase)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    if (cert)
        assert_int_equal(PEM_write_X509(f, cert), 1);
    if (key)
        assert_int_equal(PEM_write_PrivateKey(f, key, passphrase ? EVP_aes_128_cbc() : NULL,
                                              (unsigned char *)passphrase,
                                              passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                         1);
    fclose(f);
}

void write_crl(const char *file, X509 *revoked)
{
    FILE *f = fopen(file, "w");
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *next = X509_gmtime_adj(NULL, 24 * 60 * 60L);
    X509_REVOKED *entry;

    assert_non_null(f);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca.cert));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, next);
    if (revoked) {
        entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(entry, now);
        X509_CRL_add0_revoked(crl, entry);
    }
    assert_true(X509_CRL_sign(crl, ca.key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    X509_CRL_free(crl);
    fclose(f);
}

static const char *const files[] = {"ca.pem",     "other-ca.pem", "client.pem",  "client.key",
                                    "server.pem", "server.key",   "locked.key",  "both.pem",
                                    "empty.pem",  "expired.pem",  "expired.key", "stranger.pem",
                                    "list.pem",   "stranger.key", "crl.pem",     "empty-crl.pem"};

int unit_set_up(void)
{
    ca = make_identity("CA", NULL, 30, NULL);
    other_ca = make_identity("other CA", NULL, 30, NULL);
    server = make_identity("a server", &ca, 30, "DNS:server.test,IP:127.0.0.1,IP:::1");
    expired = make_identity("an old server", &ca, 1, "DNS:server.test");
    stranger = make_identity("a stranger", &other_ca, 30, "DNS:server.test");
    client = make_identity("a client", &ca, 30, NULL);
    if (!mkdtemp(directory) || chdir(directory) < 0)
        return -1;
    write_pem("ca.pem", ca.cert, NULL, NULL);
    write_pem("other-ca.pem", other_ca.cert, NULL, NULL);
    write_pem("client.pem", client.cert, NULL, NULL);
    write_pem("client.key", NULL, client.key, NULL);
    write_pem("server.pem", server.cert, NULL, NULL);
    write_pem("server.key", NULL, server.key, NULL);
    write_pem("expired.pem", expired.cert, NULL, NULL);
    write_pem("expired.key", NULL, expired.key, NULL);
    write_pem("stranger.pem", stranger.cert, NULL, NULL);
    write_pem("stranger.key", NULL, stranger.key, NULL);
    write_pem("locked.key", NULL, client.key, "secret");
    write_pem("both.pem", client.cert, client.key, NULL);
    write_pem("empty.pem", NULL, NULL, NULL);
    write_crl("crl.pem", client.cert);
    write_crl("empty-crl.pem", NULL);
    return 0;
}

int unit_tear_down(void)
{
    size_t i;

    for (i = 0; i < sizeof(files) / sizeof(*files); i++)
        unlink(files[i]);
    free_identity(&ca);
    free_identity(&other_ca);
    free_identity(&server);
    free_identity(&expired);
    free_identity(&stranger);
    free_identity(&client);
    return chdir("/") < 0 ? -1 : rmdir(directory);
}
