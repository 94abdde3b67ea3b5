# Benchmarks: see bench/README.md. make bench builds and runs them.

bench_programs = bench/requests bench/raw bench/brine
# make check builds them, too: test_counts.py runs them.
check_PROGRAMS += $(bench_programs)

bench_requests_SOURCES = bench/requests.c bench/rounds.h
bench_raw_SOURCES = bench/raw.c bench/rounds.h
bench_brine_SOURCES = bench/brine.c bench/rounds.h
bench_requests_LDADD = librpyc/librpyc.la
bench_requests_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs
bench_raw_LDADD = -lpthread
bench_brine_LDADD = librpyc/librpyc-internal.la

bench_run = $(AM_TESTS_ENVIRONMENT) $(srcdir)/testsuite/run-interop $(abs_top_srcdir)/bench

# make bench ARGS="--only getattr"
bench: all-am $(bench_programs)
	@$(bench_run)/bench.py $(ARGS)

bench-scale: all-am $(bench_programs)
	@$(bench_run)/bench.py --scale $(ARGS)

# Compares the counts of instructions and system calls with bench/baseline.json.
bench-counts: all-am $(bench_programs)
	@$(bench_run)/counts.py $(ARGS)
.PHONY: bench bench-scale bench-counts

EXTRA_DIST += \
	bench/README.md \
	bench/baseline.json \
	bench/bench.py \
	bench/commands.py \
	bench/counts.py \
	bench/debuggee.py \
	bench/long_values.py \
	bench/measure.py \
	bench/msgpack.c \
	bench/programs.py \
	bench/round_trips.py \
	bench/rows.py \
	bench/scale.py \
	bench/stock_client.py
