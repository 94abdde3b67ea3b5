# What is known about a process, as data: a convenience library, which the client links. It uses
# brine and buffers of librpyc, and json-c.

noinst_LTLIBRARIES += report/libreport.la
report_libreport_la_SOURCES = \
	report/arena.c report/arena.h \
	report/codec.c report/codec.h \
	report/json.c report/json.h \
	report/merge.c report/merge.h \
	report/report.c report/report.h \
	report/shape.c report/shape.h
report_libreport_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
report_libreport_la_LIBADD = $(JSON_LIBS)
