# Checks that are too slow for `make check`. Each uses a directory of its own.

# make fuzz FUZZ_SECONDS=60: runs each fuzz target for that time. Always compiled with clang.
# FUZZ_TARGETS='server tls': runs only these.
FUZZ_SECONDS = 60
FUZZ_TARGETS = server brine frame message vinegar client prompt expr sockets stackreader target tls
FUZZ_CC = clang
fuzz_client = $(filter-out client/main.c client/prompt/editor.c client/prompt/history_file.c \
	client/prompt/keyboard.c client/prompt/libedit.c client/prompt/terminal.c, \
	$(filter %.c,$(common_libcommon_la_SOURCES) $(client_pystuck_SOURCES) $(procfs_libprocfs_la_SOURCES) \
	$(report_libdiagnosis_la_SOURCES) $(report_libreport_la_SOURCES)))
# Records what the target stackreader reads.
if PYTHON_INTERNALS
fuzz_recorder = testsuite/interop/stackreader_module.la
endif
fuzz: config.h $(client_inc) $(fuzz_recorder)
	srcdir='$(srcdir)' PYTHON='$(PYTHON)' FUZZ_CC='$(FUZZ_CC)' FUZZ_SECONDS='$(FUZZ_SECONDS)' \
		FUZZ_TARGETS='$(FUZZ_TARGETS)' FUZZ_CLIENT='$(addprefix $(srcdir)/,$(fuzz_client))' \
		FUZZ_CPPFLAGS='$(LIBDEFLATE_CFLAGS) $(JSON_CFLAGS)' PYTHON_CPPFLAGS='$(PYTHON_CPPFLAGS)' \
		FUZZ_SERVER_SOURCES='$(addprefix $(abs_srcdir)/,$(filter %.c,$(pystuck_ext__pystuck_la_SOURCES) \
			$(procfs_libprocfs_la_SOURCES) $(stackreader_libstackreader_la_SOURCES) \
			$(report_libdiagnosis_la_SOURCES)))' \
		FUZZ_READER_SOURCES='$(addprefix $(srcdir)/,$(filter %.c,$(stackreader_libstackreader_la_SOURCES)))' \
		FUZZ_RECORDER='$(fuzz_recorder)' \
		FUZZ_SSL_SOURCES='$(addprefix $(srcdir)/,$(filter %.c,$(librpyc_librpyc_ssl_la_SOURCES)))' \
		OPENSSL_CFLAGS='$(OPENSSL_CFLAGS)' OPENSSL_LIBS='$(OPENSSL_LIBS)' \
		FUZZ_LIBS='$(librpyc_librpyc_internal_la_LIBADD) $(JSON_LIBS) $(LIBS)' \
		$(srcdir)/testsuite/fuzz/run-fuzz \
		$(addprefix $(srcdir)/,$(filter %.c,$(librpyc_librpyc_internal_la_SOURCES)))

# make check-hardening FUZZ_SECONDS=60: the tests of bad input, of faults and of other users, with and
# without sanitizers; then each fuzz target for 60 seconds.
check-hardening: all
	abs_srcdir='$(abs_srcdir)' PYTHON='$(PYTHON)' FUZZ_SECONDS='$(FUZZ_SECONDS)' \
		$(srcdir)/testsuite/run-hardening

# make fuzz-record: records sessions of stock rpyc again, as first inputs of the fuzz targets.
fuzz-record: all
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/testsuite/run-interop \
		'$(abs_srcdir)/testsuite/fuzz/record_seeds.py' '$(abs_srcdir)/testsuite/fuzz/corpus'

# make coverage: prints how many lines of librpyc the tests execute.
COVERAGE_TESTS = $(unit_tests) testsuite/run-interop
coverage:
	srcdir='$(abs_srcdir)' PYTHON='$(PYTHON)' COVERAGE_TESTS='$(COVERAGE_TESTS)' \
		$(srcdir)/testsuite/run-coverage

# make check-valgrind, make check-tsan: run the tests of librpyc with valgrind or ThreadSanitizer;
# CHECK=check-units or CHECK=check-interop: only those.
CHECK = check
check-valgrind: all-am $(check_PROGRAMS) $(check_LTLIBRARIES)
	$(AM_TESTS_ENVIRONMENT) UNIT_TESTS='$(unit_tests)' LIBTOOL='$(LIBTOOL)' CHECK='$(CHECK)' \
		$(srcdir)/testsuite/run-valgrind
check-tsan: config.h
	abs_srcdir='$(abs_srcdir)' PYTHON='$(PYTHON)' CHECK='$(CHECK)' $(srcdir)/testsuite/run-tsan

# make check-debug: the tests of the extension with a debug build of CPython.
check-debug: config.h
	abs_srcdir='$(abs_srcdir)' PYTHON='$(PYTHON)' DEBUG_PYTHON='$(DEBUG_PYTHON)' \
		$(srcdir)/testsuite/run-debug

# make check-on PYTHON=3.13: part of the tests on the CPython of a Debian release;
# PYTHON=/path/to/python3.12: on an interpreter of this machine. PYTHON is not exported: make may have
# to run configure first.
unexport PYTHON
check-on: config.h
	@abs_srcdir='$(abs_srcdir)' UNIT_TESTS='$(unit_tests)' \
		ON='$(if $(filter command%,$(origin PYTHON)),$(PYTHON))' $(srcdir)/testsuite/run-on

# make check-pip: wheels and sdists, as users build and install them.
check-pip: config.h
	@abs_srcdir='$(abs_srcdir)' PYTHON='$(PYTHON)' $(srcdir)/testsuite/run-pip

# make check-install: installs in fresh Debian systems, in each way, and uses and removes what is installed.
# INSTALLS="trixie wheel": only some of the releases and ways; see testsuite/check-install.
INSTALLS =
check-install:
	@$(srcdir)/testsuite/check-install $(INSTALLS)

# make check-aarch64: tests of the stack reader, of reports and of the protocol in qemu.
check-aarch64:
	@abs_srcdir='$(abs_srcdir)' TEST_WIRE='$(filter %.c,$(testsuite_unit_test_wire_SOURCES))' \
		TEST_REPORT='$(filter %.c,$(testsuite_unit_test_report_SOURCES))' \
		STACKREADER_MODULE='$(filter %.c,$(testsuite_interop_stackreader_module_la_SOURCES) \
			$(stackreader_libstackreader_la_SOURCES) $(procfs_libprocfs_la_SOURCES))' \
		$(srcdir)/testsuite/run-aarch64

# make check-portable: checks that the sources compile with other C libraries.
check-portable: config.h $(client_inc)
	@abs_srcdir='$(abs_srcdir)' CC='$(CC)' PYTHON='$(PYTHON)' CPPFLAGS='$(PYTHON_CPPFLAGS) $(JSON_CFLAGS)' \
		LIBS='$(LIBDEFLATE_LIBS) $(CMOCKA_LIBS) $(LIBS)' $(srcdir)/testsuite/run-portable

# make interop ARGS="-k 'test_find.py and unix' --pdb": interop tests, one by one, on the terminal.
ARGS =
interop: all-am $(check_PROGRAMS) $(check_LTLIBRARIES)
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/testsuite/run-interop -m pytest -p no:cacheprovider \
		'$(abs_srcdir)/testsuite/interop' $(ARGS)

# make check-full: runs all tests and checks in full, for example before a release. Builds in separate
# directories and installs missing packages. .ci/run, without --full, runs a part of it.
check-full:
	PYTHON='$(PYTHON)' $(srcdir)/.ci/run --full

# make stock-against-stock: runs the cases of stock clients with stock servers, and records that they
# have passed. make check runs these cases only if they have changed since then.
stock-against-stock: all
	$(AM_TESTS_ENVIRONMENT) \
		$(srcdir)/testsuite/run-interop '$(abs_srcdir)/testsuite/interop/stock_against_stock.py'

# make check-rpyc RPYC_SOURCES=DIRECTORY: runs rpyc's own tests with pystuck's server. See
# testsuite/run-rpyc.
check-rpyc: all
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/testsuite/run-rpyc '$(RPYC_SOURCES)'

# make check-soak SOAK=small SOAK_FLAGS='--seed 1': connects very many clients to one program, which
# must free all of their resources. Without SOAK= it takes minutes.
SOAK =
SOAK_FLAGS =
check-soak: all
	$(AM_TESTS_ENVIRONMENT) SOAK='$(SOAK)'; export SOAK; \
		$(srcdir)/testsuite/run-interop '$(abs_srcdir)/testsuite/soak/soak.py' $(SOAK_FLAGS)

.PHONY: fuzz fuzz-record coverage check-hardening check-valgrind check-tsan check-debug check-rpyc check-soak \
	check-aarch64 check-full check-install check-on check-pip check-portable interop stock-against-stock

EXTRA_DIST += testsuite/check-arrows testsuite/check-includes testsuite/check-install testsuite/use_installed.py testsuite/roots testsuite/run-aarch64 testsuite/run-coverage testsuite/run-debug \
	testsuite/run-hardening testsuite/run-installcheck testsuite/run-on testsuite/run-pip testsuite/run-portable \
	testsuite/run-rpyc testsuite/run-tsan \
	testsuite/run-valgrind testsuite/commit-count testsuite/valgrind.supp testsuite/tsan.supp \
	testsuite/soak/soak.py testsuite/soak/clients.py \
	testsuite/fuzz/run-fuzz testsuite/fuzz/make_seeds.py testsuite/fuzz/record_seeds.py \
	testsuite/fuzz/corpus/README testsuite/fuzz/corpus/replies.zip \
	testsuite/fuzz/corpus/sessions.zip \
	testsuite/fuzz/fuzz.h testsuite/fuzz/fuzz_brine.c testsuite/fuzz/fuzz_client.c \
	testsuite/fuzz/fuzz_expr.c testsuite/fuzz/fuzz_frame.c testsuite/fuzz/fuzz_message.c \
	testsuite/fuzz/fuzz_prompt.c testsuite/fuzz/fuzz_server.c testsuite/fuzz/fuzz_server.py \
	testsuite/fuzz/fuzz_sockets.c testsuite/fuzz/fuzz_stackreader.c testsuite/fuzz/fuzz_stackreader.h \
	testsuite/fuzz/image.c testsuite/fuzz/image.h testsuite/fuzz/fuzz_target.c testsuite/fuzz/fuzz_tls.c testsuite/fuzz/fuzz_vinegar.c \
	testsuite/fuzz/libpython.py \
	testsuite/fuzz/script.c testsuite/fuzz/script.h
