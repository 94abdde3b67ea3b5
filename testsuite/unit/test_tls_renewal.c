/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Files of the server that change.
 */
#include "tls_visitor.h"

/* Replaces a file by a copy of another one, atomically. */
static void replace(const char *name, const char *by)
{
    char command[200];

    snprintf(command, sizeof(command), "cp %s new && mv new %s", by, name);
    assert_int_equal(system(command), 0);
}

#define REVOKED "the client's certificate is not accepted: certificate revoked"

TEST(files_that_have_changed_are_read_again)
{
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("both.pem"), again = v, at_last = v;

    o.crl_file = "list.pem";
    replace("list.pem", "empty-crl.pem");
    {
        AUTO_TLS_SERVER *made = new_server(&o);
        AUTO_BYTES der = assert_accepts(made, &v);

        assert_int_equal(tls_server_renew(made, NULL), 0);
        replace("list.pem", "crl.pem");
        assert_int_equal(tls_server_renew(made, NULL), 1);
        assert_int_equal(tls_server_renew(made, NULL), 0);
        assert_refuses_visitor(made, &again, REVOKED);
        replace("list.pem", "empty-crl.pem");
        assert_int_equal(tls_server_renew(made, NULL), 1);
        AUTO_BYTES der_at_last = assert_accepts(made, &at_last);
        assert_true(der.len > 0 && der_at_last.len == der.len);
    }
}

TEST(the_old_files_stay_in_use_while_the_new_ones_are_invalid)
{
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("both.pem"), again = v;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    o.crl_file = "list.pem";
    replace("list.pem", "crl.pem");
    {
        AUTO_TLS_SERVER *made = new_server(&o);
        int i;

        replace("list.pem", "ca.pem");
        for (i = 0; i < 2; i++) {
            assert_int_equal(tls_server_renew(made, &err), -1);
            assert_error(&err, RPYC_ETLS, "cannot use the list of revoked certificates list.pem: ");
        }
        assert_refuses_visitor(made, &v, REVOKED);
        assert_int_equal(unlink("list.pem"), 0);
        assert_int_equal(tls_server_renew(made, &err), -1);
        assert_error(&err, RPYC_ETLS, "cannot use the list of revoked certificates list.pem: ");
        replace("list.pem", "crl.pem");
        assert_int_equal(tls_server_renew(made, NULL), 1);
        assert_refuses_visitor(made, &again, REVOKED);
    }
}

TEST(the_options_of_a_server_need_not_stay)
{
    char name[] = "a client", list[] = "empty-crl.pem";
    const char *names[] = {name, NULL};
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("both.pem");

    o.subjects = names;
    o.crl_file = list;
    {
        AUTO_TLS_SERVER *made = new_server(&o);

        memset(name, 'x', strlen(name));
        memset(list, 'x', strlen(list));
        names[0] = NULL;
        assert_int_equal(tls_server_renew(made, NULL), 0);
        AUTO_BYTES der = assert_accepts(made, &v);
        assert_true(der.len > 0);
    }
}
