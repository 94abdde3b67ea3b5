# pystuck(1). Linked with the static librpyc: it starts faster, and what is in the build tree is the
# program itself and not libtool's wrapper.

bin_PROGRAMS += client/pystuck
client_pystuck_SOURCES = \
	client/cell.c client/cell.h \
	client/clean.h client/clock.h \
	client/collector.c client/collector.h \
	client/color.c client/color.h \
	client/complete.c client/complete.h \
	client/connect.c client/connect.h \
	client/diag.c client/diag.h \
	client/diagnose.c client/diagnose.h \
	client/edit.c client/edit.h \
	client/editor.c client/editor.h \
	client/error.c client/error.h \
	client/expr.c client/expr.h \
	client/failure.c client/failure.h \
	client/file.c client/file.h \
	client/find.c client/find.h \
	client/guess.c client/guess.h \
	client/history.c client/history.h \
	client/interrupt.c client/interrupt.h \
	client/journal.c client/journal.h \
	client/keep.c client/keep.h \
	client/keyboard.c client/keyboard.h \
	client/listing.c client/listing.h \
	client/look.c client/look.h \
	client/magic.c client/magic.h \
	client/main.c \
	client/options.c client/options.h \
	client/peer.c client/peer.h \
	client/place.c client/place.h \
	client/probe.c client/probe.h \
	client/process.c client/process.h \
	client/proxy.c client/proxy.h \
	client/repl.c client/repl.h \
	client/script.c client/script.h \
	client/session.c client/session.h \
	client/show.c client/show.h \
	client/sockets.c client/sockets.h \
	client/ssl.c client/ssl.h \
	client/stacks/by_netrefs.c client/stacks/by_netrefs.h \
	client/stacks/fetch.c client/stacks/fetch.h \
	client/stacks/print.c client/stacks/print.h \
	client/target.c client/target.h \
	client/terminal.c client/terminal.h \
	client/text.c client/text.h \
	client/textfile.c client/textfile.h \
	client/user.c client/user.h \
	client/words.c client/words.h
client_pystuck_LDADD = report/libreport.la librpyc/librpyc-internal.la $(LIBEDIT_LIBS)
client_pystuck_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs

# What cells, their helpers and the stacks need in the program, as C strings. The collector of stacks is
# a part of the package.
client_remote = bootstrap completion inspection
client_inc = $(client_remote:%=client/%.inc) client/stacks.inc
EXTRA_DIST += $(client_remote:%=client/%.py)
CLEANFILES += $(client_inc)
make_inc = $(AM_V_GEN)$(MKDIR_P) client && \
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< >$@.new && mv $@.new $@
$(client_remote:%=client/%.inc): client/%.inc: client/%.py
	$(make_inc)
client/stacks.inc: pystuck_ext/pystuck/_stacks.py
	$(make_inc)
client_pystuck_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEDIT_CFLAGS) -I$(srcdir)/client -Iclient
client/pystuck-cell.$(OBJEXT) client/pystuck-collector.$(OBJEXT): $(client_inc)

dist_man_MANS = doc/pystuck.1

# pystuck-keys(1), of OpenSSL alone.
EXTRA_DIST += doc/pystuck-keys.1
if HAVE_OPENSSL
bin_PROGRAMS += client/pystuck-keys
client_pystuck_keys_SOURCES = client/keys.c client/certificate.c client/certificate.h \
	client/file.c client/file.h client/user.c client/user.h
client_pystuck_keys_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
client_pystuck_keys_LDADD = $(OPENSSL_LIBS)
man_MANS = doc/pystuck-keys.1
endif
