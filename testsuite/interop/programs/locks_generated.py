"""Runs random programs whose threads take locks in random ways, and checks the stack reader.

Arguments: the number of programs, a seed, and "traced" if all threads have a trace function. Each
program has 2 to 8 threads that write down what they hold and what they wait for. Prints a JSON
object: `wrong`, what the reader said that is not so; `held` and `named`, how many locks were held
by a `with`, and for how many of them the reader names the holder; the same for RLocks.
"""

import contextlib
import json
import os
import random
import sys
import threading
import time

import stackreader_module

KNOWN, SEEN = 1, 2
HOLDER_KNOWN = 1
PATIENCE = 20

count, seed = int(sys.argv[1]), int(sys.argv[2])
traced = sys.argv[3:] == ["traced"]
choose = random.Random(seed)
wrong, totals = [], dict.fromkeys(("held", "named", "rlocks", "named_rlocks"), 0)


@contextlib.contextmanager
def managed(lock):
    with lock:
        yield


def generated(lock):
    with lock:
        yield 1


def locked(lock):
    def decorate(function):
        def call():
            with lock:
                return function()

        return call

    return decorate


class Program:
    """The locks of one program, and what its threads have written down."""

    def __init__(self):
        self.locks = [threading.Lock() for _ in range(6)] + [threading.RLock() for _ in range(2)]
        self.conditions = [threading.Condition(lock) for lock in self.locks[4:7]]
        self.finish = threading.Event()
        self.holds, self.waits, self.ready = {}, {}, {}
        self.by_with = set()
        self.owner = self
        vars(self).update({f"l{i}": lock for i, lock in enumerate(self.locks)})

    def hold(self, me, index, by_with=True):
        self.holds[index] = me
        if by_with:
            self.by_with.add(index)

    def drop(self, index):
        self.holds.pop(index, None)
        self.by_with.discard(index)

    def stop(self, me, waits_for):
        self.waits[me] = waits_for
        self.ready[me].set()

    def park(self, me):
        self.stop(me, self.finish)
        self.finish.wait()


def plain_name(name):
    """Return the name of a variable for an item of a list.

    The reader does not find out which lock `locks[1].release()` releases, and says of all locks
    that the same function holds by a `with` that it perhaps holds them.
    """
    return name.replace("locks[", "l").removesuffix("]")


def forgiving(function):
    """Return a function that ignores that a lock is released twice, after the check."""

    def call(program):
        with contextlib.suppress(RuntimeError):
            function(program)

    return call


class Source:
    """The source of one thread: nested blocks that take locks, and what it waits for at the end."""

    def __init__(self, me, free, taken):
        self.me, self.free, self.taken = me, free, taken
        self.lines, self.depth, self.count = [], 0, 0
        self.put(f"def thread_{me}(p):")
        self.depth = 1
        self.put("locks, conditions = p.locks, p.conditions")
        self.put("l0, l1, l2, l3, l4, l5, l6, l7 = locks")

    def put(self, *lines):
        self.lines += ["    " * self.depth + line for line in lines]

    @contextlib.contextmanager
    def block(self, head):
        self.put(head)
        self.depth += 1
        yield
        self.depth -= 1

    def hold(self, index, by_with=True):
        self.put(f"p.hold({self.me}, {index}, {by_with})")

    def drop(self, index):
        self.put(f"p.drop({index})")

    def take(self, left):
        """Take a free lock in a random way, and go on inside."""
        if left == 0 or not self.free:
            self.end()
            return
        index = self.free.pop()
        name = choose.choice([f"l{index}", f"p.l{index}", f"p.owner.l{index}", f"locks[{index}]"])
        ways = [getattr(self, each) for each in dir(self) if each.startswith("way_")]
        choose.choice(ways)(index, name, left - 1)

    def held(self, index, left, by_with=True):
        self.hold(index, by_with)
        self.take(left)

    def way_with(self, index, name, left):
        with self.block(f"with {name}:"):
            self.held(index, left)
        self.drop(index)

    def way_two(self, index, name, left):
        if not self.free:
            return self.way_with(index, name, left)
        other = self.free.pop()
        with self.block(f"with {name}, locks[{other}]:"):
            self.hold(other)
            self.held(index, left)
        self.drop(index)
        self.drop(other)
        return None

    def way_twice(self, index, name, left):
        with self.block(f"with {name}:"):
            self.put("pass")
        self.way_with(index, name, left)

    def way_stack(self, index, name, left):
        with self.block("with contextlib.ExitStack() as stack:"):
            self.put(f"stack.enter_context({name})")
            self.held(index, left)
        self.drop(index)

    def way_manager(self, index, name, left):
        with self.block(f"with managed({name}):"):
            self.held(index, left)
        self.drop(index)

    def way_acquire(self, index, name, left):
        name = plain_name(name)
        self.put(f"{name}.acquire()")
        with self.block("try:"):
            self.held(index, left, by_with=False)
        with self.block("finally:"):
            self.drop(index)
            self.put(f"{name}.release()")

    def way_generator(self, index, name, left):
        with self.block(f"for _ in generated({name}):"):
            self.held(index, left)
        self.drop(index)

    def function(self, index, left, head):
        self.count += 1
        name = f"inner_{self.count}"
        with self.block(head.format(name)):
            self.held(index, left)
        return name

    def way_decorator(self, index, name, left):
        self.put(f"@locked({name})")
        self.put(f"{self.function(index, left, 'def {}():')}()")
        self.drop(index)

    def way_function(self, index, name, left):
        inner = self.function(index, left, "def {}():")
        with self.block(f"with {name}:"):
            self.put(f"[{inner}() for _ in (1,)]")
        self.drop(index)

    def way_rebound(self, index, name, left):
        self.put(f"x = {name}")
        with self.block("with x:"):
            self.put("x = threading.Lock()")
            self.held(index, left)
        self.drop(index)

    def way_released(self, index, name, left):
        """Release a lock inside its `with`. Another thread may take it then."""
        with self.block(f"with {name}:"):
            self.put(f"{plain_name(name)}.release()")
            self.free.insert(0, index)
            self.take(left)

    def way_raised(self, index, name, left):
        with self.block("try:"), self.block(f"with {name}:"):
            self.put("raise KeyError")
        with self.block("except KeyError:"):
            self.free.append(index)
            self.take(left)

    def way_condition(self, index, name, left):
        if not 4 <= index < 7:
            return self.way_with(index, name, left)
        with self.block(f"with conditions[{index - 4}]:"):
            self.held(index, left)
        self.drop(index)
        return None

    def end(self):
        """Wait for a lock that another thread holds, for a condition, or for the end."""
        ways = ["park"] + ["lock"] * 3 * bool(self.taken) + ["condition"] * bool(self.free)
        way = choose.choice(ways)
        if way == "park":
            self.put(f"p.park({self.me})")
        elif way == "lock":
            self.wait_for_lock(choose.choice(self.taken))
        else:
            self.wait_for_condition()

    def wait_for_lock(self, index):
        self.put(f"p.stop({self.me}, p.locks[{index}])")
        way = choose.choice(["with", "acquire", "timeout", "arguments"])
        if way == "with":
            with self.block(f"with p.locks[{index}]:"):
                self.put("pass")
            return
        arguments = {"acquire": "", "timeout": "timeout=1000", "arguments": "*(True, 1000)"}[way]
        self.put(f"p.locks[{index}].acquire({arguments})", f"p.locks[{index}].release()")

    def wait_for_condition(self):
        mine = [index for index in self.free if 4 <= index < 7]
        if not mine:
            return self.put(f"p.park({self.me})")
        self.free.remove(mine[0])
        with self.block(f"with conditions[{mine[0] - 4}]:"):
            self.put(f"p.stop({self.me}, conditions[{mine[0] - 4}])")
            self.put(f"conditions[{mine[0] - 4}].wait_for(p.finish.is_set)")
        return None


def is_waiting(native):
    with open(f"/proc/self/task/{native}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


def wait_until(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "a thread does not get where it should"
        time.sleep(0)


def run(number):
    program = Program()
    free = list(range(8))
    choose.shuffle(free)
    threads = {}
    for me in range(choose.randint(2, 8)):
        taken = [index for index, by in program.holds.items() if by != me]
        source = Source(me, free, taken)
        source.take(choose.randint(0, 3))
        names = {}
        text = "\n".join(source.lines)
        exec(compile(text, f"program_{number}", "exec"), globals(), names)
        program.ready[me] = threading.Event()
        threads[me] = threading.Thread(target=forgiving(names[f"thread_{me}"]), args=(program,))
        threads[me].source = text
        threads[me].start()
        wait_until(program.ready[me].is_set)
        free = [index for index in free if index not in program.holds]
    for thread in threads.values():
        wait_until(lambda: is_waiting(thread.native_id))  # noqa: B023
    check(program, threads)
    program.finish.set()
    until = time.monotonic() + PATIENCE
    while any(thread.is_alive() for thread in threads.values()):
        assert time.monotonic() < until, [t.source for t in threads.values() if t.is_alive()]
        for condition in program.conditions:
            with contextlib.suppress(RuntimeError):  # a thread has released the lock twice
                if condition.acquire(False):
                    condition.notify_all()
                    condition.release()
        time.sleep(0)


def check(program, threads):
    found, _, _, things = stackreader_module.read()
    indices = {f"obj:{id(lock):#x}": index for index, lock in enumerate(program.locks)}
    numbers = {f"thread:{thread.ident}": me for me, thread in threads.items()}
    named = {}
    for each in found:
        me = numbers.get(each["id"])
        if me is None:
            continue
        said = [each["waits"] and each["waits"][0]]
        if said[0] not in (None, f"obj:{id(program.waits[me]):#x}"):
            wrong.append(f"waits for {each['waits']}:\n{threads[me].source}")
        for thing, certainty, *_ in each["holds"] or ():
            if thing not in indices or certainty not in (KNOWN, SEEN):
                continue
            named[indices[thing]] = me
            if program.holds.get(indices[thing]) != me:
                wrong.append(f"holds {indices[thing]}, by {certainty}:\n{threads[me].source}")
    for thing, (_, _, _, holders, status, _) in things.items():
        index = indices.get(thing)
        if index not in named or status != HOLDER_KNOWN:
            continue
        if [numbers.get(holder) for holder in holders] != [program.holds.get(index)]:
            wrong.append(f"{index} is held by {holders}")
    for index, me in program.holds.items():
        kind, names = ("held", "named") if index < 6 else ("rlocks", "named_rlocks")
        if index in program.by_with:
            totals[kind] += 1
            totals[names] += named.get(index) == me


# A generator whose thread has ended may release a Lock that another thread has released already.
sys.unraisablehook = lambda _: None
if traced:
    threading.settrace(lambda *_: lambda *_: None)
for number in range(count):
    run(number)
print(json.dumps({"wrong": wrong[:5], "count": len(wrong), **totals}), flush=True)
os._exit(0)
