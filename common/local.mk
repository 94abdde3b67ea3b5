# Used by both programs, pystuck(1) and pystuck-keys(1): files and users of this machine.

noinst_LTLIBRARIES += common/libcommon.la
common_libcommon_la_SOURCES = \
	common/file.c common/file.h \
	common/user.c common/user.h
