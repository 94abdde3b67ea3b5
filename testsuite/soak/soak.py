# SPDX-License-Identifier: BSD-3-Clause
"""make check-soak: very many clients of one debuggee. It must not keep any of their resources.

With SOAK=small in the environment it takes a minute. Prints a table. Exit status: 0 if the
resources of the debuggee are the same as before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

sys.path.insert(0, str(Path(__file__).parent.parent / "interop"))

import clients  # noqa: E402
import rpyc  # noqa: E402
from harness import SANITIZED, Debuggee, command, debuggee_environment  # noqa: E402
from rawpeer import assert_no_leaks  # noqa: E402

#: The debuggee runs this before it reports its address: what rounds.py also has, a second server,
#: and a gate that blocks requests of clients that are killed meanwhile.
BEFORE = """
import ctypes, threading
from counted import *
other = pystuck.run_server(unix_socket=PATH)
gate = threading.Event()
def wait(*args):
    gate.wait()
    return args
def open_gate():
    global gate
    shut, gate = gate, threading.Event()
    shut.set()
libc = ctypes.CDLL(None)
class Heap(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in 'abcdmfgunk']
def heap_in_use():
    libc.malloc_trim(0)
    if not hasattr(libc, 'mallinfo2'):  # before glibc 2.33
        return 0
    libc.mallinfo2.restype = Heap
    info = libc.mallinfo2()
    return info.u + info.m  # in arenas and in mappings
# Python's table of interned strings doubles after enough strings, also after they were freed.
for number in range(10_000):
    sys.intern(f"name {number}")
"""

#: Makes the debuggee's malloc return free memory to the system. By default it keeps some megabytes
#: for each arena, and there are eight arenas for each processor; memory that was mapped counts too
#: after it was freed once.
MALLOC = {
    "MALLOC_ARENA_MAX": "8",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
}

#: How many processes work at a time, except in the phase with many of them.
WORKERS = 4

#: How many of the clients that are killed live at a time. A server accepts 128 clients.
DOOMED_AT_A_TIME = 10

#: By how much each count may grow. Memory, in bytes, is allocated in pages, some of which have free
#: room. The other counts must not grow, because Python's caches were filled during the warm-up. The
#: sanitizers have an allocator of their own, and report lost memory themselves. Python up to 3.10
#: allocates some blocks more for each function that has run 1024 times.
TOLERANCES = {
    "clients": 0,
    "resident": 64_000_000 if SANITIZED else 1_000_000,
    "heap": 100_000,
    "blocks": 100,
    "objects": 5,
}


class Sizes(NamedTuple):
    """How many clients and requests each phase has."""

    connects: int
    requests: int
    at_once: int
    killed: int

    def for_warming_up(self) -> Sizes:
        """Fewer of all, with the same number at a time."""
        return Sizes(self.connects // 2, self.requests // 4, self.at_once, self.killed // 2)


SIZES = {"full": Sizes(10_000, 1_000_000, 100, 200), "small": Sizes(1000, 100_000, 40, 40)}


# ---- Processes -----------------------------------------------------------------------------------


class Crew:
    """The clients: child processes, each with a number, and their counts."""

    def __init__(self, place: clients.Place, seed: str) -> None:
        self.place, self.seed = place, seed
        self.counts = multiprocessing.RawArray("Q", 1000)
        self.pids: dict[int, int] = {}

    def start(self, number: int, function: Callable[..., int], *args: Any) -> int:
        """Runs `function` in a new child, and returns its pid."""
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            self._run(number, function, args)
        self.pids[pid] = number
        return pid

    def _run(self, number: int, function: Callable[..., int], args: tuple[Any, ...]) -> NoReturn:
        status = 1
        try:
            rng = random.Random(f"{self.seed} {function.__name__} {number}")
            self.counts[number] = function(self.place, rng, *args)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)

    def wait(self) -> int:
        """Waits for all children and returns the sum of their counts."""
        numbers = list(self.pids.values())
        while self.pids:
            pid, status = os.waitpid(next(iter(self.pids)), 0)
            del self.pids[pid]
            if status:
                sys.exit(f"soak: a client failed: {os.waitstatus_to_exitcode(status)}")
        return sum(self.counts[number] for number in numbers)

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        del self.pids[pid]
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit("soak: a client failed before it was killed")

    def close(self) -> None:
        for pid in list(self.pids):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def shares(total: int, parts: int) -> list[int]:
    """Divides `total` into `parts` parts."""
    return [total // parts + (number < total % parts) for number in range(parts)]


# ---- Phases. Each returns the number of its operations -------------------------------------------


def connects(crew: Crew, times: int, _: Any) -> int:
    for number, share in enumerate(shares(times, WORKERS)):
        crew.start(number, clients.connect_often, share)
    return crew.wait()


def requests(crew: Crew, times: int, _: Any) -> int:
    """A twentieth of the requests is made by stock rpyc, which is slower."""
    stock = times // 20
    for number, share in enumerate(shares(stock, 2)):
        crew.start(number, clients.request_stock, share)
    for number, share in enumerate(shares(times - stock, WORKERS)):
        crew.start(2 + number, clients.request_fast, share)
    return crew.wait()


def at_once(crew: Crew, times: int, observer: Any) -> int:
    connected, go = os.pipe(), os.pipe()
    for number in range(times):
        crew.start(number, when_others_are_there, go[1], connected[1], go[0])
    for _ in range(times):
        os.read(connected[0], 1)
    there = observer.eval("server.clients + other.clients") - 1
    for fd in (*connected, *go):
        os.close(fd)
    crew.wait()
    return there


def when_others_are_there(place: clients.Place, rng: random.Random, mine: int, *fds: int) -> int:
    os.close(mine)  # otherwise no client would read the end of file
    return clients.work_when_told(place, rng, *fds)


def killed(crew: Crew, times: int, observer: Any) -> int:
    rng = random.Random(f"{crew.seed} deaths")
    for first in range(0, times, DOOMED_AT_A_TIME):
        deaths = []
        for number in range(first, min(first + DOOMED_AT_A_TIME, times)):
            pid = crew.start(number, clients.wait_for_death, number)
            deaths.append((time.monotonic() + rng.uniform(0, 0.6), pid))
        for when, pid in sorted(deaths):
            # Kills it at a random moment; this waits for no condition.
            time.sleep(max(0, when - time.monotonic()))
            crew.kill(pid)
        observer.eval("open_gate()")
    return times


PHASES = {"connects": connects, "requests": requests, "at_once": at_once, "killed": killed}


# ---- Resources of the debuggee -------------------------------------------------------------------


class Holdings(NamedTuple):
    """The resources of the debuggee."""

    descriptors: dict[int, str]
    threads: dict[int, str]
    clients: int
    resident: int  # resident memory, in bytes
    heap: int  # bytes of it that malloc has allocated
    blocks: int  # in Python's own allocator
    objects: int  # tracked by the garbage collector

    def differences(self, before: Holdings, *fields: str) -> list[str]:
        """Describes the differences from before, in these fields or in all."""
        found = []
        for what in fields or self._fields:
            mine, theirs = getattr(self, what), getattr(before, what)
            if isinstance(mine, dict):
                there, gone = mine.items() - theirs.items(), theirs.items() - mine.items()
                found += [f"{what}: {key} ({value}) is there" for key, value in there]
                found += [f"{what}: {key} ({value}) is gone" for key, value in gone]
            elif mine - theirs > TOLERANCES[what]:
                found.append(f"{what}: {mine - theirs} more, where {TOLERANCES[what]} may be")
        return found


def threads_of(debuggee: Debuggee) -> dict[int, str]:
    found = {}
    for thread in debuggee.threads():
        with contextlib.suppress(OSError):
            found[thread] = Path(f"/proc/{debuggee.pid}/task/{thread}/comm").read_text().strip()
    return found


def resident(pid: int) -> int:
    """Resident memory in bytes, counted page by page: VmRSS is less exact."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise LookupError("Rss")


def look(debuggee: Debuggee, observer: Any) -> Holdings:
    _, blocks, objects = observer.eval("count()")
    return Holdings(
        descriptors=debuggee.descriptors(),
        threads=threads_of(debuggee),
        clients=observer.eval("server.clients + other.clients"),
        heap=observer.eval("heap_in_use()"),
        resident=resident(debuggee.pid),  # after malloc has returned free memory
        blocks=blocks,
        objects=objects,
    )


def look_again(debuggee: Debuggee, observer: Any, before: Holdings, *fields: str) -> Holdings:
    """Returns the resources when the clients' threads have ended, or after a deadline."""
    deadline = time.monotonic() + 20
    while True:
        now = look(debuggee, observer)
        if not now.differences(before, *fields) or time.monotonic() > deadline:
            return now
        time.sleep(0.1)


# ---- The soak ------------------------------------------------------------------------------------


@contextlib.contextmanager
def running_debuggee() -> Iterator[tuple[Debuggee, clients.Place]]:
    with tempfile.TemporaryDirectory(prefix="pystuck-") as directory:
        path = f"{directory}/s"
        argv = command("plain.py", json.dumps({"port": 0}), BEFORE.replace("PATH", repr(path)))
        debuggee = Debuggee(argv, debuggee_environment(**MALLOC))
        try:
            assert debuggee.port
            yield debuggee, clients.Place(debuggee.port, path)
            if SANITIZED:
                assert_no_leaks(debuggee)
            debuggee.end_well()
        finally:
            debuggee.kill()


def play(place: clients.Place, seed: str, sizes: Sizes, observer: Any, title: str = "") -> None:
    """Runs all phases in order."""
    for name, phase in PHASES.items():
        started = time.monotonic()
        wanted = getattr(sizes, name)
        with contextlib.closing(Crew(place, seed)) as crew:
            done = phase(crew, wanted, observer)
        seconds = time.monotonic() - started
        label = title + name.replace("_", " ")
        print(f"{label:22}{done:10}{seconds:10.1f} s{done / seconds:10.0f} /s", flush=True)
        if done < wanted:
            sys.exit(f"soak: {name}: {wanted} were wanted")


def report(before: Holdings, now: Holdings) -> None:
    print(f"\n{'the debuggee has':22}{'before':>12}{'after':>12}{'growth':>10}")
    for name, then, value in zip(Holdings._fields, before, now):
        if isinstance(then, dict):
            then, value = len(then), len(value)
        print(f"{name:22}{then:12}{value:12}{value - then:10}")


def soak(sizes: Sizes, seed: str) -> list[str]:
    """Returns the differences from before."""
    with running_debuggee() as (debuggee, place):
        client = rpyc.utils.factory.unix_connect(place.path, rpyc.ClassicService)
        with contextlib.closing(client) as observer:
            observer.execute("from __main__ import *")
            first = look(debuggee, observer)
            play(place, f"{seed} warm-up", sizes.for_warming_up(), observer, "warm-up: ")
            before = look_again(debuggee, observer, first, "descriptors", "threads", "clients")
            play(place, seed, sizes, observer)
            now = look_again(debuggee, observer, before)
        report(before, now)
        return now.differences(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preset = SIZES[os.environ.get("SOAK") or "full"]
    for name, default in preset._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, metavar="N")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)))
    arguments = vars(parser.parse_args())
    seed = arguments.pop("seed")
    sizes = Sizes(**arguments)
    print("soak.py --seed", seed, *(f"--{k.replace('_', '-')} {v}" for k, v in arguments.items()))
    differences = soak(sizes, seed)
    print("\nNOT as before:" if differences else "\nall as before")
    print(*differences[:20], sep="\n")
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()
