"""Reads its own stacks with the stack reader, and compares them with what Python says.

Argument: which threads to start, one of CASES. Prints a JSON object: `compared`, the number of
threads; `different`, a list of what differs.
"""

import json
import sys
import threading

import stackreader_module
from waiting_threads import done, expected, recurse, start, wait


def generate():
    yield from generate_within()


def generate_within():
    wait()
    yield 1


def use_generator():
    for _ in generate():
        pass


class Slots(threading.Thread):
    """A thread object with slots and a dict."""

    __slots__ = ("more",)

    def run(self):
        (lambda: wait())()


class Subclass(threading.Thread):
    def run(self):
        sorted([1], key=lambda _: wait())


def kinds():
    yield threading.Thread(target=wait, name="plain")
    yield threading.Thread(target=wait, name="d\xe9mon", daemon=True)
    yield threading.Thread(target=wait, name="\u4e2d\u6587")
    yield threading.Thread(target=wait, name="\U0001f40d")
    yield threading.Thread(target=recurse, args=(300,), name="deep")
    yield threading.Thread(target=use_generator, name="generator")
    yield Slots(name="slots")
    yield Subclass(name="")
    code = compile("\n\nif True:\n\n    wait()\n", "made\udcff up.py", "exec")
    yield threading.Thread(target=exec, args=(code, {"wait": wait}), name="exec")
    long_code = compile("\n" * 70000 + "wait()" + "\nx = [\n" + "1,\n" * 5000 + "]", "long", "exec")
    yield threading.Thread(target=exec, args=(long_code, {"wait": wait}), name="long")
    materialised = threading.Thread(target=wait, name="materialised")
    materialised.__dict__["more"] = 1
    yield materialised
    renamed = threading.Thread(target=wait, name="before")
    renamed.name = "after"
    yield renamed


def very_deep():
    sys.setrecursionlimit(60000)
    threading.stack_size(512 << 20)
    yield threading.Thread(target=recurse, args=(50000,), name="very deep")


def many():
    for number in range(1000):
        yield threading.Thread(target=recurse, args=(number % 7,), name=f"worker-{number}")


CASES = {"kinds": kinds, "very_deep": very_deep, "many": many}


def differences():
    read, gil, holder, _ = stackreader_module.read()
    frames = sys._current_frames()
    own = threading.get_ident()
    found = {each["ident"]: each for each in read}
    threads = {each.ident: each for each in threading.enumerate()}
    if (gil, holder) != (2, f"thread:{own}"):
        yield f"the GIL: {gil}, held by {holder}"
    if not read[0]["main"]:
        yield "the main thread is not the first"
    if set(found) != set(frames):
        yield f"threads: {sorted(found)} and {sorted(frames)}"
    for ident in set(found) & set(frames) - {own}:
        wanted = expected(threads[ident], frames[ident])
        wanted.update(id=f"thread:{ident}", ident=ident)
        for name, value in wanted.items():
            if found[ident][name] != value:
                yield f"{wanted['name']}: {name}: {found[ident][name]!r}, not {value!r}"[:2000]
    (main,) = (each for each in read if each["ident"] == own)
    if [each[2] for each in main["frames"]] != ["<module>", "main", "differences"]:
        yield f"the main thread's frames: {main['frames']}"


def main():
    threads = list(CASES[sys.argv[1]]())
    start(threads)
    print(json.dumps({"compared": len(threads), "different": list(differences())}), flush=True)
    done.set()


main()
