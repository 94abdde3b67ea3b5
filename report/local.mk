# What is known about a process, as data. Two convenience libraries: libdiagnosis has the model, its
# codec and the conclusions; the extension links it. libreport has libdiagnosis and all other files;
# the client links it. Both use brine and buffers of librpyc. libreport also uses json-c.

noinst_LTLIBRARIES += report/libdiagnosis.la report/libreport.la
report_libdiagnosis_la_SOURCES = \
	report/arena.c report/arena.h \
	report/codec.c report/codec.h \
	report/diagnosis/actor_words.c report/diagnosis/actor_words.h \
	report/diagnosis/blocker_finding.c report/diagnosis/blocker_finding.h \
	report/diagnosis/cycles.c report/diagnosis/cycles.h \
	report/diagnosis/deadlock_finding.c report/diagnosis/deadlock_finding.h \
	report/diagnosis/diagnose.c report/diagnosis/diagnose.h \
	report/diagnosis/exit_finding.c report/diagnosis/exit_finding.h \
	report/diagnosis/finding.c report/diagnosis/finding.h \
	report/diagnosis/gil_finding.c report/diagnosis/gil_finding.h \
	report/diagnosis/lock_list.c report/diagnosis/lock_list.h \
	report/diagnosis/loop_finding.c report/diagnosis/loop_finding.h \
	report/diagnosis/other_words.c report/diagnosis/other_words.h \
	report/diagnosis/place.c report/diagnosis/place.h \
	report/diagnosis/shortage_finding.c report/diagnosis/shortage_finding.h \
	report/diagnosis/signal_finding.c report/diagnosis/signal_finding.h \
	report/diagnosis/source_words.c report/diagnosis/source_words.h \
	report/diagnosis/syscall_words.c report/diagnosis/syscall_words.h \
	report/diagnosis/thread_notes.c report/diagnosis/thread_notes.h \
	report/diagnosis/wait_graph.c report/diagnosis/wait_graph.h \
	report/diagnosis/wait_words.c report/diagnosis/wait_words.h \
	report/diagnosis/worker_finding.c report/diagnosis/worker_finding.h \
	report/merge.c report/merge.h \
	report/phrases.c report/phrases.h \
	report/report.c report/report.h \
	report/schema.c report/schema.h \
	report/shortage_text.c report/shortage_text.h \
	report/shared_locks.c report/shared_locks.h \
	report/unite_objects.c report/unite_objects.h
report_libreport_la_SOURCES = \
	report/json.c report/json.h \
	report/name_runs.c report/name_runs.h \
	report/stack_groups.c report/stack_groups.h \
	report/task_tree.c report/task_tree.h
report_libreport_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
report_libreport_la_LIBADD = report/libdiagnosis.la $(JSON_LIBS)
