# SPDX-License-Identifier: BSD-3-Clause
"""The programs of examples/stuck: pystuck(1) names the reason, the lock, its holder and the line.

A program whose name ends with _twin looks like a deadlock and is none, or its holder is not known.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import (
    Running,
    build_setting,
    debuggee_environment,
    pystuck,
    python,
    wait_until,
)

PROGRAMS = Path(__file__).parents[2] / "examples" / "stuck"

#: For each program, all findings and notes of the output. Names that change are replaced, and notes
#: about system calls are left out: see conclusions().
REASONS = {
    "bank.py": """\
DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
  transfer-1 (bank.py:9) waits for Lock dst.lock, held by transfer-0 since bank.py:7
  transfer-0 (bank.py:9) waits for Lock dst.lock, held by transfer-1 since bank.py:7
  # waits for the end of thread transfer-0, which is in the deadlock above
  # in the deadlock above: waits for Lock dst.lock, held by transfer-1 since bank.py:7
  # in the deadlock above: waits for Lock dst.lock, held by transfer-0 since bank.py:7
""",
    "own_lock.py": """\
DEADLOCK: MainThread waits for a Lock that it holds itself
  MainThread (own_lock.py:14) waits for Lock self._lock, held by itself since own_lock.py:19
  # in the deadlock above: waits for Lock self._lock, held by itself since own_lock.py:19
""",
    "join_in_lock.py": """\
DEADLOCK: worker -> MainThread -> worker
  worker (join_in_lock.py:9) waits for RLock lock, held by MainThread since join_in_lock.py:14
  MainThread (join_in_lock.py:16) waits for the end of thread worker
  # in the deadlock above: waits for the end of thread worker
  # in the deadlock above: waits for RLock lock, held by MainThread since join_in_lock.py:14
""",
    "philosophers.py": """\
DEADLOCK: philosopher-4 -> philosopher-0 -> philosopher-1 -> philosopher-2 -> philosopher-3 \
-> philosopher-4
"""
    + "".join(
        f"  philosopher-{each} (philosophers.py:11) waits for Lock right, held by "
        f"philosopher-{(each + 1) % 5} since philosophers.py:9\n"
        for each in (4, 0, 1, 2, 3)
    )
    + """\
the program exits and waits for threads that are not daemons: philosopher-0, philosopher-1, \
philosopher-2, philosopher-3 and philosopher-4
  # waits until all threads that are not daemons have ended
"""
    + "".join(
        f"  # 1 thread: in the deadlock above: waits for Lock right, held by philosopher-{each} "
        "since philosophers.py:9\n"
        for each in range(5)
    ),
    "blocked_loop.py": """\
the asyncio loop of MainThread is blocked by a synchronous call: main (blocked_loop.py:19), \
waits for Lock lock, apparently held by holder since blocked_loop.py:10
MainThread apparently waits for holder (blocked_loop.py:12), which waits for an Event to be set
  MainThread (blocked_loop.py:19) waits for Lock lock, apparently held by holder since \
blocked_loop.py:10
  # waits for Lock lock, apparently held by holder since blocked_loop.py:10, which waits for an \
Event to be set
  # waits for an Event to be set
  # waits for an item in SimpleQueue work_queue
""",
    "ended_holder.py": """\
ABANDONED: RLock lock, held by thread N, which has ended: no living thread can release it
  MainThread (ended_holder.py:9) waits for it
  # waits for RLock lock, held by thread N, which has ended: no living thread can release it
""",
    "work.py": """\
MainThread apparently waits for worker (work.py:12)
  MainThread (work.py:17) waits for Lock lock, apparently held by worker since work.py:10
  # waits for Lock lock, apparently held by worker since work.py:10, now in work (work.py:12)
""",
    "workers.py": """\
  # waits until all items of Queue jobs are done, of which 1 is not
  # waits for an Event to be set
  # waits for an item in Queue jobs
""",
    "pool.py": """\
DEADLOCK: pool_0 waits for the result of a Future that is queued in its own pool
  pool_0 (pool.py:9) waits for the result of a Future, queued in a ThreadPoolExecutor whose only \
thread this is
  # waits for the result of Future pool.submit(outer), computed by pool_0, which is in the \
deadlock above
  # in the deadlock above: waits for the result of a Future, queued in a ThreadPoolExecutor whose \
only thread this is
""",
    "pool_twin.py": """\
MainThread apparently waits for pool_0 (pool_twin.py:19), which waits for the result of a Future
  MainThread (pool_twin.py:25) waits for the result of Future task, computed by pool_0
  # waits for the result of Future task, computed by pool_0, which waits for the result of a Future
  # waits for the result of a Future, queued in a ThreadPoolExecutor whose threads are all busy: \
pool_0 and pool_1
""",
    "busy_pool.py": """\
  # waits for the result of Future short, queued in a ThreadPoolExecutor whose threads are all \
busy: pool_0 and pool_1
  # waits for Event never to be set
  # waits for Event never to be set
""",
    "inherited_lock.py": """\
ABANDONED: RLock lock, apparently inherited by fork from thread N of the parent process: no living \
thread can release it
  MainThread (inherited_lock.py:18) waits for it
  # waits for RLock lock, apparently inherited by fork from thread N of the parent process: no \
living thread can release it
""",
    "inherited_twin.py": """\
MainThread waits for worker (inherited_twin.py:13)
  MainThread (inherited_twin.py:19) waits for RLock lock, held by worker since inherited_twin.py:11
  # waits for RLock lock, held by worker since inherited_twin.py:11, now in work \
(inherited_twin.py:13)
""",
    "log_handler.py": """\
MainThread waits for worker (log_handler.py:12)
  MainThread (log_handler.py:17) waits for the RLock of StreamHandler, held by worker
  # waits for the RLock of StreamHandler, held by worker, now in emit (log_handler.py:12)
""",
    "log_handler_twin.py": """\
MainThread waits for worker (log_handler_twin.py:21)
  MainThread (log_handler_twin.py:15) waits for RLock self.lock, held by worker since \
log_handler_twin.py:19
  # waits for RLock self.lock, held by worker since log_handler_twin.py:19, now in work \
(log_handler_twin.py:21)
""",
    "module_import.py": """\
MainThread waits for worker (slow_module/__init__.py:7), which waits for an Event to be set
  MainThread (module_import.py:16) waits for the import of module slow_module, imported by worker
  # waits for the import of module slow_module, imported by worker, which waits for an \
Event to be set
  # waits for an Event to be set
""",
    "acquired.py": """\
not known whether this is a deadlock: rotate -> change -> rotate
  rotate (acquired.py:20) waits for Lock table, perhaps held by change since acquired.py:9
  change (acquired.py:11) waits for Lock log, perhaps held by rotate since acquired.py:18
  # waits for an Event to be set
  # waits for Lock log, perhaps held by rotate since acquired.py:18, which waits for Lock table
  # waits for Lock table, perhaps held by change since acquired.py:9, which waits for Lock log
""",
    "full_pipe.py": """\
MainThread waits for chatter (full_pipe.py:13)
  MainThread (full_pipe.py:18) waits for the lock of BufferedWriter sys.stdout, held by chatter
  # waits for the lock of BufferedWriter sys.stdout, held by chatter, now in chatter \
(full_pipe.py:13)
""",
    "rows.py": """\
DEADLOCK: b-to-a -> a-to-b -> b-to-a
  b-to-a (rows.py:14) waits for Lock target, held by a-to-b since rows.py:12
  a-to-b (rows.py:14) waits for Lock target, held by b-to-a since rows.py:12
  # waits for an Event to be set
  # in the deadlock above: waits for Lock target, held by b-to-a since rows.py:12
  # in the deadlock above: waits for Lock target, held by a-to-b since rows.py:12
""",
    "rows_twin.py": """\
not known whether this is a deadlock: b-to-a -> a-to-b -> b-to-a
  b-to-a (rows_twin.py:14) waits for Lock target, perhaps held by a-to-b since rows_twin.py:12
  a-to-b (rows_twin.py:14) waits for Lock target, perhaps held by b-to-a since rows_twin.py:12
  # waits for an Event to be set
  # waits for Lock target, perhaps held by b-to-a since rows_twin.py:12, which waits for Lock target
  # waits for Lock target, perhaps held by a-to-b since rows_twin.py:12, which waits for Lock target
""",
    "parts.py": """\
DEADLOCK: pool_0 waits for the result of a Future that is queued in its own pool
  pool_0 (parts.py:10) waits for the result of Future parts[N], queued in a ThreadPoolExecutor \
whose only thread this is
  # waits for the result of Future pool.submit(whole), computed by pool_0, which is in the \
deadlock above
  # in the deadlock above: waits for the result of Future parts[N], queued in a ThreadPoolExecutor \
whose only thread this is
""",
    "monitor.py": """\
MainThread apparently waits for consumer (monitor.py:11), which waits for a notification of \
Condition inner
  MainThread (monitor.py:16) waits for Lock outer, apparently held by consumer since monitor.py:9
  # waits for Lock outer, apparently held by consumer since monitor.py:9, which waits for a \
notification of Condition inner
  # waits for a notification of Condition inner
""",
    "busy_pool_twin.py": """\
  # waits for a result of a set of Futures
  # waits for Event never to be set
  # waits for Event never to be set
""",
    "module_import_twin.py": """\
  # waits for an Event to be set
  # waits for an Event to be set
""",
    "timeout_twin.py": """\
MainThread apparently waits for patient (timeout_twin.py:11), which waits for Lock b, with a timeout
  MainThread (timeout_twin.py:18) waits for Lock a, apparently held by patient since \
timeout_twin.py:9
  # waits for Lock a, apparently held by patient since timeout_twin.py:9, which waits for Lock b
  # waits for Lock b, apparently held by MainThread since timeout_twin.py:16, which waits for \
Lock a; the wait has a timeout
""",
    "signal_twin.py": """\
not known whether this is a deadlock: waiter -> MainThread -> waiter
  waiter (signal_twin.py:11) waits for Lock other, perhaps held by MainThread since \
signal_twin.py:15
  MainThread (signal_twin.py:18) waits for Lock lock, apparently held by waiter since \
signal_twin.py:9
MainThread apparently waits for waiter (signal_twin.py:11), which waits for Lock other
  MainThread (signal_twin.py:18) waits for Lock lock, apparently held by waiter since \
signal_twin.py:9
  # waits for Lock lock, apparently held by waiter since signal_twin.py:9, which waits for \
Lock other
  # waits for Lock other, perhaps held by MainThread since signal_twin.py:15, which waits for \
Lock lock
""",
    "condition_twin.py": """\
MainThread apparently waits for owner (condition_twin.py:17)
  MainThread (condition_twin.py:25) waits for Lock cond._lock, apparently held by owner since \
condition_twin.py:15
  # waits for Lock cond._lock, apparently held by owner since condition_twin.py:15, now in owner \
(condition_twin.py:17)
  # waits for a notification of Condition cond
""",
    "released_twin.py": """\
MainThread apparently waits for second (released_twin.py:20)
  MainThread (released_twin.py:26) waits for Lock lock, apparently held by second since \
released_twin.py:18
  # waits for Lock lock, apparently held by second since released_twin.py:18, now in second \
(released_twin.py:20)
""",
    "handed_twin.py": """\
  # waits for Event never to be set
  # waits for Event never to be set
  # waits for Event never to be set
  # waits for Lock lock, holder not known
""",
    "two_claims_twin.py": """\
  # waits for Lock lock, perhaps held by one of first and second
""",
    "exit_handler.py": """\
the program exits and is in flush (exit_handler.py:11), which waits for Event flushed to be set
  # waits for Event flushed to be set
""",
    "exit_handler_twin.py": """\
  # waits for Event flushed to be set
""",
    "finalizer.py": """\
DEADLOCK: MainThread waits for a Lock that it holds itself
  MainThread (finalizer.py:16) waits for Lock lock, held by itself since finalizer.py:21
  # in the deadlock above: waits for Lock lock, held by itself since finalizer.py:21
  # in __del__ (finalizer.py:16), which Python called in collect (finalizer.py:22)
""",
    "finalizer_twin.py": """\
MainThread apparently waits for worker (finalizer_twin.py:19), which waits for an Event to be set
  MainThread (finalizer_twin.py:12) waits for Lock lock, apparently held by worker since \
finalizer_twin.py:17
  # waits for Lock lock, apparently held by worker since finalizer_twin.py:17, which waits for an \
Event to be set
  # waits for an Event to be set
""",
    "inherited_plain.py": """\
  # waits for Lock lock, holder not known, perhaps a thread of the parent process at the time of \
the fork
""",
    "barrier.py": """\
  # waits at Barrier barrier, where 2 of 3 threads have arrived
  # waits at Barrier barrier, where 2 of 3 threads have arrived
""",
    "lost_result.py": """\
MainThread (lost_result.py:12) waits for the result of ApplyResult result, but the only worker \
process of the Pool waits for tasks: the worker that computed it has apparently ended
  # waits for the result of ApplyResult result, computed in a Pool whose only worker is process N \
(python), which waits for input from a pipe whose other end this process has
""",
    "lost_result_twin.py": """\
  # waits for the result of ApplyResult result, computed in a Pool whose only worker is process N \
(python), which waits for Event never to be set
""",
    "child_pipe.py": """\
DEADLOCK: process N (yes) -> MainThread -> process N
  process N (yes) writes to a full pipe whose other end this process has
  MainThread (child_pipe.py:9) waits for the end of process N (yes)
  # in the deadlock above: waits for the end of process N (yes)
""",
    "child_pipe_twin.py": """\
MainThread waits for process N (yes), which writes to a full pipe whose other end this process has
  MainThread (child_pipe_twin.py:16) waits for the end of process N (yes)
  # waits for the end of process N (yes), which writes to a full pipe whose other end this process \
has
  # waits for Event begin to be set
""",
    "child_queue.py": """\
DEADLOCK: QueueFeederThread of process N (python) -> MainThread -> MainThread of process N \
-> QueueFeederThread of process N
  QueueFeederThread of process N (python) (connection.py) writes to a full pipe whose other \
end this process has
  MainThread (child_queue.py:18) waits for the end of process N (python)
  MainThread of process N (python) (child_queue.py:17) waits for the end of thread \
QueueFeederThread of process N
  # in the deadlock above: waits for the end of process N (python)
""",
    "child_queue_twin.py": """\
MainThread waits for process N (python), whose thread MainThread waits for an Event to \
be set
  MainThread (child_queue_twin.py:17) waits for the end of process N (python)
  # waits for the end of process N (python), whose thread MainThread waits for an Event \
to be set
""",
    "semaphore_twin.py": """\
worker apparently waits for MainThread (semaphore_twin.py:18), which waits for Semaphore slots
  worker (semaphore_twin.py:11) waits for Lock lock, apparently held by MainThread since \
semaphore_twin.py:16
  # waits for Semaphore slots, apparently held by worker since semaphore_twin.py:9, which waits \
for Lock lock
  # waits for Lock lock, apparently held by MainThread since semaphore_twin.py:16, which waits \
for Semaphore slots
""",
    "any_child.py": """\
  # waits for the end of any of its child processes, which are process N (python) and process N \
(python)
  # process N (python) waits for Event never to be set
  # process N (python) waits for Event never to be set
""",
    "child_join.py": """\
MainThread apparently waits for process N (python), which waits for an Event to be set
  MainThread (child_join.py:11) waits for the end of process N (python), with a timeout
  # waits for the end of process N (python), which waits for an Event to be set; the wait has a \
timeout
""",
    "child_output.py": """\
MainThread apparently waits for process N (sleep 100000)
  MainThread (child_output.py:5) communicates with process N (sleep 100000)
  # communicates with process N (sleep 100000)
""",
    "child_output_twin.py": """\
  # communicates with process N (sh), which has ended
""",
    "database.py": """\
MainThread apparently waits for process N (python), which waits for Event never to be set
  MainThread (database.py:18) waits for the lock of SQLite database shop-N.db (shop), held by \
process N (python), with a timeout
  # waits for the lock of SQLite database shop-N.db (shop), held by process N (python), which \
waits for Event never to be set; the wait has a timeout
""",
    "database_twin.py": """\
  # waits for the lock of SQLite database shop-N.db (shop), held by a connection of the same \
process; the wait has a timeout
""",
    "process_pool.py": """\
  # waits for the result of Future tasks[2], computed in a ProcessPoolExecutor with the workers \
process N (python) and process N (python)
  # process N (python) waits for Event never to be set
  # process N (python) waits for Event never to be set
  # waits for results of worker processes, namely process N (python) and process N (python)
  # process N (python) waits for Event never to be set
  # process N (python) waits for Event never to be set
  # waits for a notification of Condition notempty
""",
    "killed_holder.py": """\
  # waits for multiprocessing lock self._rlock, apparently held by a process, which has ended
""",
    "killed_holder_twin.py": """\
MainThread apparently waits for process N (python), which waits for Event never to be set
  MainThread (killed_holder_twin.py:20) waits for multiprocessing lock self._rlock, apparently \
held by process N (python)
  # waits for multiprocessing lock self._rlock, apparently held by process N (python), which \
waits for Event never to be set
""",
    "shared_locks_twin.py": """\
  # waits for multiprocessing lock log, holder not known
""",
}

#: The lines about a deadlock of two processes, of which either may come first.
REASON_OF_SHARED_LOCKS = [
    "  process N (python) (shared_locks.py:9) waits for multiprocessing lock second, held by "
    "MainThread of this process",
    "  MainThread (shared_locks.py:9) waits for multiprocessing lock second, held by process N "
    "(python)",
]

#: Before 3.11, code objects have no qualified names.
CONDITION_WAIT = "threading.Condition.wait" if sys.version_info >= (3, 11) else "threading.wait"

#: Programs whose reasons are only known to a server, since the stack reader knows no tasks.
REASONS_OF_TASKS = {
    "tasks.py": """\
DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
  transfer-1 (tasks.py:9) waits for asyncio.Lock dst.lock, held by transfer-0 since tasks.py:7
  transfer-0 (tasks.py:9) waits for asyncio.Lock dst.lock, held by transfer-1 since tasks.py:7
  # awaits transfer-0 and transfer-1: can never continue
    # in the deadlock above: waits for asyncio.Lock dst.lock, held by transfer-1 since tasks.py:7
    # in the deadlock above: waits for asyncio.Lock dst.lock, held by transfer-0 since tasks.py:7
""",
    "tasks_twin.py": """\
second apparently waits for first (tasks_twin.py:11), which awaits attempt, with a timeout
  second (tasks_twin.py:17) waits for asyncio.Lock a, apparently held by first since tasks_twin.py:8
  # awaits first and second
    # awaits attempt, which waits for an asyncio.Lock; the wait has a timeout
      # waits for an asyncio.Lock, holder not known
    # waits for asyncio.Lock a, apparently held by first since tasks_twin.py:8, which awaits attempt
""",
    "own_loop.py": f"""\
DEADLOCK: MainThread waits for the result of a Future that it computes itself
  MainThread (own_loop.py:11) waits for the result of a Future, computed by itself
the asyncio loop of MainThread is blocked by a synchronous call: {CONDITION_WAIT} \
(own_loop.py:11), waits for the result of a Future, computed by itself
  # in the deadlock above: waits for the result of a Future, computed by itself
  # running in MainThread
""",
    "lock_in_task.py": """\
DEADLOCK: MainThread -> keeper -> MainThread
  MainThread (lock_in_task.py:18) waits for Lock lock, held by keeper since lock_in_task.py:10
  keeper (lock_in_task.py:11) sleeps, but only MainThread can run it
the asyncio loop of MainThread is blocked by a synchronous call: main (lock_in_task.py:18), \
waits for Lock lock, apparently held by keeper since lock_in_task.py:10
  # in the deadlock above: waits for Lock lock, held by keeper since lock_in_task.py:10
  # running in MainThread
  # in the deadlock above: sleeps
""",
}

#: Programs with greenlets, which only a server knows. They need gevent. The notes are sorted,
#: because the order of greenlets is that of their addresses.
REASONS_OF_GREENLETS = {
    "gevent_bank.py": """\
DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
  transfer-1 (gevent_bank.py:10) waits for RLock dst.lock, held by transfer-0 since gevent_bank.py:8
  transfer-0 (gevent_bank.py:10) waits for RLock dst.lock, held by transfer-1 since gevent_bank.py:8
  # in the deadlock above: waits for RLock dst.lock, held by transfer-0 since gevent_bank.py:8
  # in the deadlock above: waits for RLock dst.lock, held by transfer-1 since gevent_bank.py:8
  # waits for the end of greenlets transfer-0 and transfer-1
""",
    "gevent_hub.py": """\
DEADLOCK: MainThread -> holder -> MainThread
  MainThread (gevent_hub.py:16) waits for Lock lock, held by holder since gevent_hub.py:11
  holder (gevent_hub.py:12) sleeps, but only MainThread can run it
the gevent hub of MainThread is blocked by a synchronous call: waiter (gevent_hub.py:16), \
waits for Lock lock, apparently held by holder since gevent_hub.py:11
  # in the deadlock above: sleeps
  # in the deadlock above: waits for Lock lock, held by holder since gevent_hub.py:11
  # waits for the end of greenlets holder and waiter
  # waits until another greenlet switches to it; its parent is main greenlet of MainThread
""",
    "gevent_twin.py": """\
  # waits for BoundedSemaphore second, apparently held by take-1 since gevent_twin.py:8, \
which waits for Semaphore second
  # waits for Semaphore second, apparently held by take-0 since gevent_twin.py:8, \
which waits for BoundedSemaphore second
  # waits for the end of greenlets take-0 and take-1
""",
}

#: Programs that need trio. Only a server knows their tasks.
REASONS_OF_TRIO = {
    "trio_bank.py": """\
DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
  transfer-1 (trio_bank.py:9) waits for Lock dst.lock, held by transfer-0 since trio_bank.py:7
  transfer-0 (trio_bank.py:9) waits for Lock dst.lock, held by transfer-1 since trio_bank.py:7
  # awaits transfer-0 and transfer-1: can never continue
    # in the deadlock above: waits for Lock dst.lock, held by transfer-1 since trio_bank.py:7
    # in the deadlock above: waits for Lock dst.lock, held by transfer-0 since trio_bank.py:7
""",
    "trio_twin.py": """\
patient waits for impatient (trio_twin.py:10), which waits for Lock second, with a timeout
  patient (trio_twin.py:10) waits for Lock second, held by impatient since trio_twin.py:7
  # awaits patient and impatient
    # waits for Lock second, held by impatient since trio_twin.py:7, which waits for Lock second
    # waits for Lock second, held by patient since trio_twin.py:7, which waits for Lock second; \
the wait has a timeout
""",
}


def conclusions(output: str) -> str:
    """The findings, which are the lines before the first thread, and the notes, in that order."""
    output = re.sub(r"thread \d{6,}", "thread N", output)
    output = re.sub(r"parts\[\d\]", "parts[N]", output)  # any item of a set
    output = re.sub(
        "; the wait has a timeout, which ends in .*", "; the wait has a timeout", output
    )
    output = re.sub(r"process \d+ \(python[^)]*\)", "process N (python)", output)
    output = re.sub(r"process \d+", "process N", output)
    output = re.sub(r"\(connection.py:\d+\)", "(connection.py)", output)
    output = re.sub(r"database \S+/shop-\d+.db", "database shop-N.db", output)
    output = re.sub(", which (sleeps|is in the system call) .*", "", output)
    output = re.sub(r" since logging/__init__.py:\d+", "", output)  # from Python 3.13 on
    output = re.sub(r"now in (\w+\.)+(\w+) \(", r"now in \2 (", output)  # up to 3.10: no classes
    findings, _, _ = output.partition("<")
    notes = [line for line in output.splitlines(True) if line.lstrip().startswith("# ")]
    calls = ("  # sleeps ", "  # in the system call ", "  # running, ")
    return (
        findings.rstrip("\n")
        + "\n" * bool(findings)
        + "".join(each for each in notes if not each.startswith(calls))
    )


#: Runs a program. Starts a server in its child. Arguments: the program, the Unix socket.
SERVE_CHILD = """
import os, runpy, sys, pystuck
os.register_at_fork(after_in_child=lambda: pystuck.run_server(unix_socket=sys.argv[2]))
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def child_of(pid: int) -> str:
    """The id of the child of a process, when it has one."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(children.read_text, "a child")
    return children.read_text().strip()


@pytest.fixture(params=["server", "pid"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """Starts a program of examples/stuck. Returns the arguments with which pystuck reads it.

    They name a server in the program, or its process, which then has no server. Of a program that
    forks, it is the child.
    """
    started: list[Running] = []

    def run(*arguments: str, **environment: str) -> int:
        environment["TMPDIR"] = str(tmp_path)
        started.append(Running([python(), *arguments], debuggee_environment(**environment)))
        return started[0].pid

    def start(name: str, **environment: str) -> list[str]:
        socket, path = tmp_path / "socket", str(PROGRAMS / name)
        forks = name.startswith("inherited")
        if request.param == "pid":
            pid = run(path)
            return ["--pid", child_of(pid) if forks else str(pid)]
        if forks:
            run("-c", SERVE_CHILD, path, str(socket))
        else:
            run("-m", "pystuck", path, PYSTUCK=f"unix:{socket}", **environment)
        wait_until(socket.exists, "the server to listen")
        return [f"unix:{socket}"]

    try:
        yield start
    finally:
        for running in started:
            running.kill()


#: Notes about tasks, which only a server adds.
NOTES_OF_TASKS = {"blocked_loop.py": "  # running in MainThread\n"}


def check_conclusions(arguments: list[str], wanted: str) -> None:
    """Waits until pystuck(1) draws these conclusions."""
    never_continues = wanted.startswith(("DEADLOCK", "ABANDONED"))
    output = ""

    def is_there() -> bool:
        nonlocal output
        done = pystuck("--check", *arguments)
        output = done.stdout
        assert never_continues or not output.startswith(("DEADLOCK", "ABANDONED"))
        if conclusions(output) != wanted:
            return False
        assert done.returncode == (3 if never_continues else 0)
        return True

    wait_until(is_there, f"the conclusions {wanted}", details=lambda: output)


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_is_named(start: Callable[[str], list[str]], name: str) -> None:
    arguments = start(name)
    notes = "" if arguments[0] == "--pid" else NOTES_OF_TASKS.get(name, "")
    check_conclusions(arguments, REASONS[name] + notes)


@pytest.mark.parametrize("start", ["server"], indirect=True)
@pytest.mark.parametrize("name", REASONS_OF_TASKS)
def test_the_reason_of_tasks_is_named(start: Callable[[str], list[str]], name: str) -> None:
    check_conclusions(start(name), REASONS_OF_TASKS[name])


@pytest.mark.skipif("PYSTUCK_GEVENT" not in os.environ, reason="gevent needs PYSTUCK_SLOW=1")
@pytest.mark.parametrize("start", ["server"], indirect=True)
@pytest.mark.parametrize("name", REASONS_OF_GREENLETS)
def test_the_reason_of_greenlets_is_named(start: Callable[..., list[str]], name: str) -> None:
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_GEVENT')}"
    arguments, output = start(name, PYTHONPATH=path), ""

    def are_there() -> bool:
        nonlocal output
        output = conclusions(re.sub(r" at 0x[0-9a-f]+", "", pystuck(*arguments).stdout))
        lines = output.splitlines(True)
        lines.sort(key=lambda line: line if line.startswith("  # ") else "")
        output = "".join(lines)
        return output == REASONS_OF_GREENLETS[name]

    wait_until(are_there, "the conclusions", details=lambda: output)


def test_a_deadlock_of_two_processes_by_their_locks_is_found(
    start: Callable[[str], list[str]],
) -> None:
    arguments, output = start("shared_locks.py"), ""

    def is_there() -> bool:
        nonlocal output
        output = conclusions(pystuck(*arguments).stdout)
        lines = output.splitlines()
        return output.startswith("DEADLOCK: ") and set(REASON_OF_SHARED_LOCKS) <= set(lines)

    wait_until(is_there, "the deadlock", details=lambda: output)


needs_loops = pytest.mark.skipif(
    "PYSTUCK_LOOPS" not in os.environ, reason="trio and uvloop need PYSTUCK_SLOW=1"
)


@needs_loops
@pytest.mark.parametrize("start", ["server"], indirect=True)
@pytest.mark.parametrize("name", REASONS_OF_TRIO)
def test_the_reason_of_trio_is_named(start: Callable[..., list[str]], name: str) -> None:
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_LOOPS')}"
    check_conclusions(start(name, PYTHONPATH=path), REASONS_OF_TRIO[name])


@needs_loops
@pytest.mark.parametrize("start", ["server"], indirect=True)
@pytest.mark.parametrize("name", ["blocked_loop.py", "lock_in_task.py", "own_loop.py", "tasks.py"])
def test_uvloop_makes_no_difference(
    start: Callable[..., list[str]], name: str, tmp_path: Path
) -> None:
    program = tmp_path / name
    program.write_text(
        "import runpy, uvloop; uvloop.install()\n"
        f"runpy.run_path({str(PROGRAMS / name)!r}, run_name='__main__')\n"
    )
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_LOOPS')}"
    wanted = {**REASONS, **REASONS_OF_TASKS}[name] + NOTES_OF_TASKS.get(name, "")
    check_conclusions(start(str(program), PYTHONPATH=path), wanted)


def test_the_readme_shows_the_deadlock() -> None:
    lines = [line.strip() for line in (PROGRAMS.parents[1] / "README.md").read_text().splitlines()]
    assert set(map(str.strip, REASONS["bank.py"].splitlines()[:3])) <= set(lines)


def test_each_program_has_a_reason() -> None:
    assert {each.name for each in PROGRAMS.glob("*.py")} == {
        *REASONS,
        *REASONS_OF_TASKS,
        *REASONS_OF_GREENLETS,
        *REASONS_OF_TRIO,
        "shared_locks.py",
    }
