# pystuck(1). Linked with the static librpyc: it starts faster, and what is in the build tree is the
# program itself and not libtool's wrapper.

bin_PROGRAMS += client/pystuck
client_pystuck_SOURCES = \
	client/main.c \
	client/options.c client/options.h \
	client/stacks.c client/stacks.h
client_pystuck_LDADD = librpyc/librpyc.la
client_pystuck_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs

dist_man_MANS = doc/pystuck.1
