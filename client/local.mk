# pystuck(1). Linked with the static librpyc: it starts faster, and what is in the build tree is the
# program itself and not libtool's wrapper.

bin_PROGRAMS += client/pystuck
client_pystuck_SOURCES = \
	client/cell.c client/cell.h \
	client/complete.c client/complete.h \
	client/connect.c client/connect.h \
	client/editor.c client/editor.h \
	client/history.c client/history.h \
	client/interrupt.c client/interrupt.h \
	client/magic.c client/magic.h \
	client/main.c \
	client/options.c client/options.h \
	client/repl.c client/repl.h \
	client/script.c client/script.h \
	client/stacks.c client/stacks.h \
	client/text.c client/text.h
client_pystuck_LDADD = librpyc/librpyc.la $(LIBEDIT_LIBS)
client_pystuck_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs

# What cells and their helpers need over there, as C strings.
client_remote = bootstrap completion inspection
EXTRA_DIST += $(client_remote:%=client/%.py)
CLEANFILES += $(client_remote:%=client/%.inc)
$(client_remote:%=client/%.inc): client/%.inc: client/%.py
	$(AM_V_GEN)$(MKDIR_P) client && \
		sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< >$@.new && mv $@.new $@
client_pystuck_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEDIT_CFLAGS) -Iclient
client/pystuck-cell.$(OBJEXT): $(client_remote:%=client/%.inc)

dist_man_MANS = doc/pystuck.1
