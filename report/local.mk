# What is known about a process, as data. Two convenience libraries: libfacts has the model and its
# codec; the extension links it. libreport has libfacts and all other files; the client links it.
# Both use brine and buffers of librpyc. libreport also uses json-c.

noinst_LTLIBRARIES += report/libfacts.la report/libreport.la
report_libfacts_la_SOURCES = \
	report/arena.c report/arena.h \
	report/codec.c report/codec.h \
	report/report.c report/report.h \
	report/schema.c report/schema.h
report_libreport_la_SOURCES = \
	report/diagnosis/diagnose.c report/diagnosis/diagnose.h \
	report/diagnosis/finding.c report/diagnosis/finding.h \
	report/diagnosis/gil_finding.c report/diagnosis/gil_finding.h \
	report/diagnosis/place.c report/diagnosis/place.h \
	report/diagnosis/phrases.c report/diagnosis/phrases.h \
	report/diagnosis/shortage_finding.c report/diagnosis/shortage_finding.h \
	report/diagnosis/signal_finding.c report/diagnosis/signal_finding.h \
	report/json.c report/json.h \
	report/merge.c report/merge.h \
	report/shortage_text.c report/shortage_text.h
report_libreport_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
report_libreport_la_LIBADD = report/libfacts.la $(JSON_LIBS)
