# make check: the unit tests are a few programs (cmocka), one for each part of librpyc and one each for
# other code; all interop tests are one (pytest).
# One program alone:       make check TESTS=testsuite/unit/test_conn
# Some tests of it:        make check-units && testsuite/unit/test_conn test_send 'a_reply_*'
# Some interop tests:      PYTEST_ADDOPTS='-k unix' make check TESTS=testsuite/run-interop

unit_tests = \
	testsuite/unit/test_api \
	testsuite/unit/test_conn \
	testsuite/unit/test_connect \
	testsuite/unit/test_core \
	testsuite/unit/test_log_limit \
	testsuite/unit/test_nomem \
	testsuite/unit/test_report \
	testsuite/unit/test_shortage \
	testsuite/unit/test_stackreader \
	testsuite/unit/test_stream \
	testsuite/unit/test_wire

# The main function of these programs, and what all of them share.
check_LIBRARIES =
if HAVE_CMOCKA
check_LIBRARIES += testsuite/unit/libunit.a
endif
testsuite_unit_libunit_a_SOURCES = testsuite/unit/unit.c testsuite/unit/unit.h
testsuite_unit_libunit_a_AR = $(AR) cr

# Bytes on the wire, without connections.
testsuite_unit_test_wire_SOURCES = \
	testsuite/unit/brine_text.c testsuite/unit/brine_text.h \
	testsuite/unit/frames.c testsuite/unit/frames.h \
	testsuite/unit/test_brine_invalid.c \
	testsuite/unit/test_brine_limits.c \
	testsuite/unit/test_brine_reader.c \
	testsuite/unit/test_brine_utf8.c \
	testsuite/unit/test_brine_values.c \
	testsuite/unit/test_buffer.c \
	testsuite/unit/test_envelope.c \
	testsuite/unit/test_frame_invalid.c \
	testsuite/unit/test_frame_over.c \
	testsuite/unit/test_frame_read.c \
	testsuite/unit/test_frame_write.c \
	testsuite/unit/test_id_pack.c

# Sockets.
testsuite_unit_test_stream_SOURCES = \
	testsuite/unit/sockets.c testsuite/unit/sockets.h \
	testsuite/unit/test_stream_connect.c \
	testsuite/unit/test_stream_connect_waits.c \
	testsuite/unit/test_stream_fd.c \
	testsuite/unit/test_stream_listen.c \
	testsuite/unit/test_stream_receive.c \
	testsuite/unit/test_stream_send.c

# One connection, without objects. Counts how often TCP_QUICKACK is set.
testsuite_unit_test_conn_SOURCES = \
	testsuite/unit/conn_link.c testsuite/unit/conn_link.h \
	testsuite/unit/test_await.c \
	testsuite/unit/test_await_requests.c \
	testsuite/unit/test_conn.c \
	testsuite/unit/test_receive.c \
	testsuite/unit/test_send.c \
	testsuite/unit/test_serving.c \
	testsuite/unit/test_turns.c
testsuite_unit_test_conn_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=setsockopt

# What C callers use: values, objects, requests.
testsuite_unit_test_api_SOURCES = \
	testsuite/unit/link.c testsuite/unit/link.h \
	testsuite/unit/local_object.c testsuite/unit/local_object.h \
	testsuite/unit/test_async.c \
	testsuite/unit/test_box.c \
	testsuite/unit/test_builtins.c \
	testsuite/unit/test_classic.c \
	testsuite/unit/test_describe.c \
	testsuite/unit/test_exception.c \
	testsuite/unit/test_format.c \
	testsuite/unit/test_iterate.c \
	testsuite/unit/test_local_errors.c \
	testsuite/unit/test_local_lifetime.c \
	testsuite/unit/test_local_nested.c \
	testsuite/unit/test_local_requests.c \
	testsuite/unit/test_local_service.c \
	testsuite/unit/test_netref.c \
	testsuite/unit/test_object.c \
	testsuite/unit/test_process.c \
	testsuite/unit/test_releases.c \
	testsuite/unit/test_request.c \
	testsuite/unit/test_rpyc_conn.c \
	testsuite/unit/test_value.c

# Connecting, and finding out which rpyc the server speaks.
testsuite_unit_test_connect_SOURCES = \
	testsuite/unit/fake_server.c testsuite/unit/fake_server.h \
	testsuite/unit/test_connect_early.c \
	testsuite/unit/test_connect_errors.c \
	testsuite/unit/test_connect_generation.c \
	testsuite/unit/test_connect_options.c \
	testsuite/unit/test_connect_remembered.c \
	testsuite/unit/test_connect_silent.c

# Core files.
testsuite_unit_test_core_SOURCES = \
	testsuite/unit/made_elf.c testsuite/unit/made_elf.h \
	testsuite/unit/test_core_file.c \
	testsuite/unit/test_core_images.c \
	testsuite/unit/test_elf_image.c
testsuite_unit_test_core_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/stackreader
testsuite_unit_test_core_LDADD = stackreader/libstackreader.la procfs/libprocfs.la \
	report/libreport.la $(LDADD)

# Where allocations fail.
testsuite_unit_test_nomem_SOURCES = \
	testsuite/unit/failing_alloc.c testsuite/unit/failing_alloc.h \
	testsuite/unit/nomem_server.c testsuite/unit/nomem_server.h \
	testsuite/unit/test_nomem.c
testsuite_unit_test_nomem_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
	-Wl,--wrap=strdup,--wrap=strndup,--wrap=free,--wrap=mmap,--wrap=tsearch

# Reports, and what is concluded from them.
testsuite_unit_test_report_SOURCES = \
	testsuite/unit/reports.c testsuite/unit/reports.h \
	testsuite/unit/waiting.c testsuite/unit/waiting.h \
	testsuite/unit/test_blockers.c \
	testsuite/unit/test_deadlocks.c \
	testsuite/unit/test_diagnosis.c \
	testsuite/unit/test_lock_list.c \
	testsuite/unit/test_merge.c \
	testsuite/unit/test_others.c \
	testsuite/unit/test_random_waits.c \
	testsuite/unit/test_report.c \
	testsuite/unit/test_source_words.c \
	testsuite/unit/test_stack_groups.c \
	testsuite/unit/test_tasks.c \
	testsuite/unit/test_thread_notes.c
testsuite_unit_test_report_LDADD = report/libreport.la $(LDADD)

# Processes that use up their resources. Alone, because its own memory counts.
testsuite_unit_test_shortage_SOURCES = \
	testsuite/unit/reports.c testsuite/unit/reports.h \
	testsuite/unit/test_patient.c \
	testsuite/unit/test_shortage.c \
	testsuite/unit/test_target.c \
	testsuite/unit/test_thread_facts.c
testsuite_unit_test_shortage_LDADD = procfs/libprocfs.la report/libreport.la $(LDADD)

# The stack reader, without a Python.
testsuite_unit_test_stackreader_SOURCES = \
	testsuite/unit/page.c testsuite/unit/page.h \
	testsuite/unit/test_known_offsets.c \
	testsuite/unit/test_locate.c \
	testsuite/unit/test_lock_report.c \
	testsuite/unit/test_mappings.c \
	testsuite/unit/test_memory_pages.c \
	testsuite/unit/test_native_threads.c \
	testsuite/unit/test_objects.c
testsuite_unit_test_stackreader_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/stackreader
testsuite_unit_test_stackreader_LDADD = stackreader/libstackreader.la report/libreport.la $(LDADD)

# Of the extension, what calls no Python.
testsuite_unit_test_log_limit_SOURCES = \
	testsuite/unit/test_gil_held.c pystuck_ext/gil_held.c \
	testsuite/unit/test_log_limit.c pystuck_ext/log_limit.c
testsuite_unit_test_log_limit_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CPPFLAGS) $(QUEUE_CFLAGS) \
	-I$(top_srcdir)/pystuck_ext -I$(top_srcdir)/stackreader
testsuite_unit_test_log_limit_LDADD = procfs/libprocfs.la report/libreport.la $(LDADD)

# TLS, with librpyc-ssl linked: nothing that is installed is loaded instead.
if HAVE_OPENSSL
unit_tests += testsuite/unit/test_tls
testsuite_unit_test_tls_SOURCES = \
	testsuite/unit/identities.c testsuite/unit/identities.h \
	testsuite/unit/openssl_server.c testsuite/unit/openssl_server.h \
	testsuite/unit/tls_library.c testsuite/unit/tls_library.h \
	testsuite/unit/tls_visitor.c testsuite/unit/tls_visitor.h \
	testsuite/unit/test_tls_admission.c \
	testsuite/unit/test_tls_client_cert.c \
	testsuite/unit/test_tls_connect.c \
	testsuite/unit/test_tls_faults.c \
	testsuite/unit/test_tls_handshake.c \
	testsuite/unit/test_tls_renewal.c \
	testsuite/unit/test_tls_server.c \
	testsuite/unit/test_tls_stream.c
testsuite_unit_test_tls_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
testsuite_unit_test_tls_LDADD = librpyc/librpyc-ssl.la $(LDADD) $(OPENSSL_LIBS)
testsuite_unit_test_tls_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=dlopen,--wrap=dlsym
endif

# The compiler needs three times as long to optimize the tests, and they run no faster.
testsuite/unit/%.$(OBJEXT) testsuite/interop/%.$(OBJEXT): override CFLAGS += -O0 -U_FORTIFY_SOURCE

# make check-units: builds and runs the unit tests alone.
check-units: $(unit_tests)
	@rm -f $(unit_tests:=.log)
	@$(MAKE) $(AM_MAKEFLAGS) $(TEST_SUITE_LOG) TEST_LOGS='$(unit_tests:=.log)'

# make check-interop: builds and runs the interop tests alone.
check-interop: all-am $(filter-out $(unit_tests),$(check_PROGRAMS)) $(check_LTLIBRARIES)
	@rm -f testsuite/run-interop.log
	@$(MAKE) $(AM_MAKEFLAGS) $(TEST_SUITE_LOG) TEST_LOGS=testsuite/run-interop.log
.PHONY: check-units check-interop

# Decodes brine and encodes it again, for the interop tests.
check_PROGRAMS += testsuite/unit/brine_echo
testsuite_unit_brine_echo_LDADD = librpyc/librpyc-internal.la

# Connects over TLS, for the interop tests.
if HAVE_OPENSSL
check_PROGRAMS += testsuite/interop/tls_user
testsuite_interop_tls_user_LDADD = librpyc/librpyc.la
testsuite_interop_tls_user_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs
endif

# Uses librpyc as any C program would, by rpyc.h alone, for the interop tests.
check_PROGRAMS += testsuite/interop/librpyc_user
testsuite_interop_librpyc_user_SOURCES = testsuite/interop/librpyc_user.c \
	testsuite/interop/librpyc_user.h \
	testsuite/interop/librpyc_user_async.c \
	testsuite/interop/librpyc_user_builtins.c \
	testsuite/interop/librpyc_user_callbacks.c \
	testsuite/interop/librpyc_user_connect.c \
	testsuite/interop/librpyc_user_errors.c \
	testsuite/interop/librpyc_user_objects.c \
	testsuite/interop/librpyc_user_values.c
testsuite_interop_librpyc_user_CPPFLAGS = -I$(top_srcdir)/librpyc
testsuite_interop_librpyc_user_LDADD = librpyc/librpyc.la
testsuite_interop_librpyc_user_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs

# Makes calls of the C library fail in a debuggee, for the interop tests. The sanitizers have functions
# of their own in these places.
check_LTLIBRARIES =
if !SANITIZED
check_LTLIBRARIES += testsuite/interop/faults.la
testsuite_interop_faults_la_SOURCES = testsuite/interop/faults.c
testsuite_interop_faults_la_LIBADD =
testsuite_interop_faults_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-rpath $(abs_builddir)
endif

# Reads the stacks of its own process, for the interop tests.
if PYTHON_INTERNALS
check_LTLIBRARIES += testsuite/interop/stackreader_module.la
testsuite_interop_stackreader_module_la_SOURCES = testsuite/interop/stackreader_module.c \
	pystuck_ext/current_frames.c pystuck_ext/current_frames.h \
	pystuck_ext/lock_offsets_check.c pystuck_ext/lock_offsets_check.h \
	pystuck_ext/native_thread.c pystuck_ext/native_thread.h \
	pystuck_ext/offsets_check.c pystuck_ext/offsets_check.h \
	pystuck_ext/own_offsets.c pystuck_ext/own_offsets.h \
	pystuck_ext/self_reader.c pystuck_ext/self_reader.h report/arena.c report/report.c \
	report/schema.c \
	testsuite/fuzz/image.c testsuite/fuzz/image.h
testsuite_interop_stackreader_module_la_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CPPFLAGS) -I$(srcdir)/pystuck_ext \
	-I$(srcdir)/stackreader -I$(srcdir)/testsuite/fuzz
testsuite_interop_stackreader_module_la_LIBADD = stackreader/libstackreader.la procfs/libprocfs.la \
	librpyc/librpyc-internal.la
testsuite_interop_stackreader_module_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-rpath $(abs_builddir)

# Reads stacks from an image of a process, whose bytes are changed at random.
check_PROGRAMS += testsuite/interop/stackreader_replay
testsuite_interop_stackreader_replay_SOURCES = testsuite/interop/stackreader_replay.c \
	testsuite/fuzz/fuzz_stackreader.c testsuite/fuzz/fuzz_stackreader.h testsuite/fuzz/fuzz.h \
	testsuite/fuzz/image.c testsuite/fuzz/image.h client/color.c client/stacks/print.c \
	client/stacks/print_group.c client/stacks/print_stack.c client/stacks/print_tasks.c client/text.c
testsuite_interop_stackreader_replay_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) -I$(srcdir)/stackreader \
	-I$(srcdir)/testsuite/fuzz -I$(srcdir)/client -I$(srcdir)/common
testsuite_interop_stackreader_replay_LDADD = stackreader/libstackreader.la procfs/libprocfs.la \
	report/libreport.la librpyc/librpyc-internal.la
endif

# make installcheck: what is installed, as a smoke test; make distcheck runs it.
installcheck-local:
	PYTHON='$(PYTHON)' CC='$(CC)' srcdir='$(abs_srcdir)' bindir='$(bindir)' libdir='$(libdir)' \
		pythondir='$(pythondir)' mandir='$(mandir)' $(srcdir)/testsuite/run-installcheck

dist_check_SCRIPTS = testsuite/run-interop
TESTS += $(unit_tests) testsuite/run-interop

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
else
check-local:
	@echo 'make check needs cmocka: install libcmocka-dev (Debian, Ubuntu) or libcmocka-devel' \
		'(Fedora), then run configure again' >&2; exit 1
endif

# For every program that does not say otherwise, which is the unit tests.
AM_CPPFLAGS += $(CMOCKA_CFLAGS)
LDADD = testsuite/unit/libunit.a librpyc/librpyc-internal.la $(CMOCKA_LIBS)

AM_TESTS_ENVIRONMENT = \
	PYTHON='$(PYTHON)'; export PYTHON; \
	abs_top_srcdir='$(abs_top_srcdir)'; export abs_top_srcdir; \
	abs_top_builddir='$(abs_top_builddir)'; export abs_top_builddir; \
	SANITIZER_PRELOAD='$(SANITIZER_PRELOAD)'; export SANITIZER_PRELOAD; \
	CC='$(CC)'; export CC; \
	LIBRPYC_CFLAGS='$(PYSTUCK_CFLAGS) $(CFLAGS)'; export LIBRPYC_CFLAGS; \
	LIBRPYC_LIBS='$(PYSTUCK_LDFLAGS) $(LDFLAGS) $(LIBDEFLATE_LIBS) $(LIBS)'; export LIBRPYC_LIBS;

EXTRA_DIST += testsuite/.clang-tidy \
	testsuite/requirements.txt testsuite/requirements-rpyc4.txt \
	testsuite/requirements-rpyc5.txt testsuite/requirements-rpyc6.txt \
	testsuite/requirements-original.txt testsuite/requirements-gevent.txt \
	testsuite/requirements-loops.txt \
	testsuite/requirements-greenlet.txt \
	testsuite/requirements-numpy.txt testsuite/requirements-production.txt \
	testsuite/requirements-uwsgi.txt

clean-local:
	rm -rf testsuite/env testsuite/interop-work testsuite/fuzz-work testsuite/figures coverage tsan debug \
		hardening on
