# Programs to learn from, with the public API alone. Not installed; make check runs them.

check_PROGRAMS += examples/read_variable examples/callback examples/tail_log

# Without config.h and its feature macros: they build as a user's program does.
examples_read_variable_CPPFLAGS = -I$(srcdir)/librpyc
examples_read_variable_LDADD = librpyc/librpyc.la
examples_read_variable_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs
examples_callback_CPPFLAGS = -I$(srcdir)/librpyc
examples_callback_LDADD = librpyc/librpyc.la
examples_callback_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs
examples_tail_log_CPPFLAGS = -I$(srcdir)/librpyc
examples_tail_log_LDADD = librpyc/librpyc.la
examples_tail_log_LDFLAGS = $(AM_LDFLAGS) -static-libtool-libs

# Stuck programs; testsuite/interop/test_stuck_examples.py runs them.
EXTRA_DIST += \
	examples/stuck/acquired.py \
	examples/stuck/any_child.py \
	examples/stuck/bank.py \
	examples/stuck/barrier.py \
	examples/stuck/blocked_loop.py \
	examples/stuck/busy_pool.py \
	examples/stuck/busy_pool_twin.py \
	examples/stuck/child_join.py \
	examples/stuck/child_output.py \
	examples/stuck/child_output_twin.py \
	examples/stuck/child_pipe.py \
	examples/stuck/child_pipe_twin.py \
	examples/stuck/child_queue.py \
	examples/stuck/child_queue_twin.py \
	examples/stuck/condition_twin.py \
	examples/stuck/database.py \
	examples/stuck/database_twin.py \
	examples/stuck/ended_holder.py \
	examples/stuck/exit_handler.py \
	examples/stuck/exit_handler_twin.py \
	examples/stuck/finalizer.py \
	examples/stuck/finalizer_twin.py \
	examples/stuck/full_pipe.py \
	examples/stuck/gevent_bank.py \
	examples/stuck/gevent_hub.py \
	examples/stuck/gevent_twin.py \
	examples/stuck/handed_twin.py \
	examples/stuck/inherited_lock.py \
	examples/stuck/inherited_plain.py \
	examples/stuck/inherited_twin.py \
	examples/stuck/join_in_lock.py \
	examples/stuck/killed_holder.py \
	examples/stuck/killed_holder_twin.py \
	examples/stuck/lock_in_task.py \
	examples/stuck/log_handler.py \
	examples/stuck/log_handler_twin.py \
	examples/stuck/lost_result.py \
	examples/stuck/lost_result_twin.py \
	examples/stuck/module_import.py \
	examples/stuck/module_import_twin.py \
	examples/stuck/monitor.py \
	examples/stuck/own_lock.py \
	examples/stuck/own_loop.py \
	examples/stuck/parts.py \
	examples/stuck/philosophers.py \
	examples/stuck/pool.py \
	examples/stuck/pool_twin.py \
	examples/stuck/process_pool.py \
	examples/stuck/released_twin.py \
	examples/stuck/rows.py \
	examples/stuck/rows_twin.py \
	examples/stuck/semaphore_twin.py \
	examples/stuck/shared_locks.py \
	examples/stuck/shared_locks_twin.py \
	examples/stuck/signal_twin.py \
	examples/stuck/slow_module/__init__.py \
	examples/stuck/tasks.py \
	examples/stuck/tasks_twin.py \
	examples/stuck/timeout_twin.py \
	examples/stuck/trio_bank.py \
	examples/stuck/trio_twin.py \
	examples/stuck/two_claims_twin.py \
	examples/stuck/work.py \
	examples/stuck/workers.py
