# pystuck-keys(1): makes keys and certificates for TLS. Uses OpenSSL and, of this project, only
# common/ and librpyc/openssl.

EXTRA_DIST += doc/pystuck-keys.1
if HAVE_OPENSSL
bin_PROGRAMS += keys/pystuck-keys
keys_pystuck_keys_SOURCES = keys/main.c keys/certificate.c keys/certificate.h \
	librpyc/openssl.c librpyc/openssl.h
keys_pystuck_keys_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS) $(RELOCATABLE_CPPFLAGS) -I$(srcdir)/common
keys_pystuck_keys_LDADD = common/libcommon.la $(OPENSSL_LINKED_LIBS)
keys_pystuck_keys_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs
$(keys_pystuck_keys_OBJECTS): $(openssl_inc)
man_MANS = doc/pystuck-keys.1
endif
