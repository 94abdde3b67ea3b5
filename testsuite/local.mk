# make check: each unit test is a program of its own (cmocka); all interop tests are one (pytest).
# One of them alone:       make check TESTS=testsuite/unit/test_brine
# Some interop tests:      PYTEST_ADDOPTS='-k unix' make check TESTS=testsuite/run-interop

unit_tests = \
	testsuite/unit/test_brine \
	testsuite/unit/test_buffer \
	testsuite/unit/test_conn \
	testsuite/unit/test_connect \
	testsuite/unit/test_frame \
	testsuite/unit/test_message \
	testsuite/unit/test_stream \
	testsuite/unit/test_value

# Decodes brine and encodes it again, for the interop tests.
check_PROGRAMS += testsuite/unit/brine_echo
testsuite_unit_brine_echo_LDADD = librpyc/librpyc-internal.la

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
LDADD = librpyc/librpyc-internal.la $(CMOCKA_LIBS)

AM_TESTS_ENVIRONMENT = \
	PYTHON='$(PYTHON)'; export PYTHON; \
	abs_top_srcdir='$(abs_top_srcdir)'; export abs_top_srcdir; \
	abs_top_builddir='$(abs_top_builddir)'; export abs_top_builddir; \
	SANITIZER_PRELOAD='$(SANITIZER_PRELOAD)'; export SANITIZER_PRELOAD;

EXTRA_DIST += testsuite/.clang-tidy testsuite/interop testsuite/unit/unit.h \
	testsuite/requirements.txt testsuite/requirements-rpyc5.txt \
	testsuite/requirements-rpyc6.txt testsuite/requirements-original.txt

clean-local:
	rm -rf testsuite/env testsuite/interop-work
