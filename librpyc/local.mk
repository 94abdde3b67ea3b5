# The protocol. Built once as a convenience library, which the extension and the unit tests link;
# what is installed is the same with only RPYC_API to be seen.

noinst_LTLIBRARIES += librpyc/librpyc-internal.la
librpyc_librpyc_internal_la_SOURCES = \
	librpyc/brine.c librpyc/brine.h \
	librpyc/buffer.c librpyc/buffer.h \
	librpyc/classic.c librpyc/classic.h \
	librpyc/conn.c librpyc/conn.h \
	librpyc/connect.c \
	librpyc/describe.c librpyc/describe.h \
	librpyc/drops.c librpyc/drops.h \
	librpyc/error.c librpyc/error.h \
	librpyc/format.c librpyc/format.h \
	librpyc/frame.c librpyc/frame.h \
	librpyc/host.c librpyc/host.h \
	librpyc/local.c librpyc/local.h \
	librpyc/message.c librpyc/message.h \
	librpyc/object.c \
	librpyc/pending.c librpyc/pending.h \
	librpyc/serving.c \
	librpyc/request.c librpyc/request.h \
	librpyc/stream.c librpyc/stream.h \
	librpyc/tls.c librpyc/tls.h \
	librpyc/value.c librpyc/value.h
librpyc_librpyc_internal_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBDEFLATE_CFLAGS) -DRPYC_LIBDIR='"$(libdir)"'
# libtool compiles each file twice, and keeps the second time to itself unless told not to.
librpyc_librpyc_internal_la_CFLAGS = $(AM_CFLAGS) -no-suppress
librpyc_librpyc_internal_la_LIBADD = $(LIBDEFLATE_LIBS)

# -version-info is current:revision:age of the interface, see "Updating version info" in libtool's
# manual; not the package's version.
lib_LTLIBRARIES += librpyc/librpyc.la
librpyc_librpyc_la_SOURCES =
librpyc_librpyc_la_LIBADD = librpyc/librpyc-internal.la
librpyc_librpyc_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0

include_HEADERS = librpyc/rpyc.h
pkgconfig_DATA = librpyc/librpyc.pc

# TLS, loaded when it is asked for.
if HAVE_OPENSSL
lib_LTLIBRARIES += librpyc/librpyc-ssl.la
librpyc_librpyc_ssl_la_SOURCES = librpyc/ssl.c librpyc/subject.c librpyc/subject.h
librpyc_librpyc_ssl_la_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
librpyc_librpyc_ssl_la_LIBADD = librpyc/librpyc-internal.la $(OPENSSL_LIBS)
librpyc_librpyc_ssl_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0
endif
