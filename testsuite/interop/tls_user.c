/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connects over TLS by librpyc's public API, for test_tls.py:
 *     tls_user HOST PORT [ca=FILE] [cert=FILE] [key=FILE] [name=NAME] [timeout=SECONDS]
 *              [no-verify] [plain]
 * Prints "ok" and how long a str of 5,000,000 characters came out, or "error", its code and text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpyc.h>

/* The value of an argument "key=value", else NULL. */
static const char *value_of(const char *argument, const char *key)
{
    size_t n = strlen(key);

    return strncmp(argument, key, n) == 0 && argument[n] == '=' ? argument + n + 1 : NULL;
}

static void take_argument(struct rpyc_tls *tls, struct rpyc_options *options, const char *argument)
{
    const char *value;

    if ((value = value_of(argument, "ca")))
        tls->ca_file = value;
    else if ((value = value_of(argument, "cert")))
        tls->cert_file = value;
    else if ((value = value_of(argument, "key")))
        tls->key_file = value;
    else if ((value = value_of(argument, "name")))
        tls->server_name = value;
    else if ((value = value_of(argument, "timeout")))
        options->connect_timeout_ms = 1000 * (int)strtol(value, NULL, 10);
    else if (strcmp(argument, "no-verify") == 0)
        tls->insecure_no_verify = true;
    else if (strcmp(argument, "plain") == 0)
        options->tls = NULL;
}

int main(int argc, char **argv)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct rpyc_tls tls = {0};
    struct rpyc_options options = {.tls = &tls, .connect_timeout_ms = 60000};
    rpyc_conn *conn = NULL;
    rpyc_value *text = NULL;
    size_t len;
    int i;

    for (i = 3; i < argc; i++)
        take_argument(&tls, &options, argv[i]);
    if (argc >= 3 && rpyc_connect_tcp(&conn, argv[1], argv[2], &options, &err) == 0 &&
        rpyc_eval(conn, "'x' * 5000000", &text, &err) == 0 && rpyc_str(text, &len))
        printf("ok %zu\n", len);
    else
        printf("error %d %s\n", err.code, err.text);
    rpyc_unref(text);
    rpyc_close(conn);
    rpyc_error_clear(&err);
    return 0;
}
