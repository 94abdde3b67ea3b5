"""Runs threads that call, recurse, raise, run generators and are called back, while they are read.

Arguments: how many stacks to read; "self" or "child": the process in which the threads run. A child
is read from outside. Prints a JSON object: `exact`, `moving` and `unreadable`, their
numbers, and `impossible`, the stacks that were called exact and in which a call is that no function
makes.
"""

import json
import os
import signal
import sys
import threading

import stackreader_module

stop = False
#: (function, line, function that it calls there)
calls = set()


def leaf(number):
    return number * 2


def straight(number):
    leaf(number)
    leaf(number + 1)
    return leaf(number)


def recurse(depth):
    if depth:
        recurse(depth - 1)
        leaf(depth)
    else:
        straight(depth)


def numbers(count):
    for number in range(count):
        yield leaf(number)


def outer_numbers(count):
    yield from numbers(count)


def use_generators(count):
    for number in outer_numbers(count):
        leaf(number)
    return sum(numbers(count))


def fail(depth):
    if depth:
        fail(depth - 1)
    raise ValueError


def catch():
    try:
        fail(5)
    except ValueError:
        leaf(1)


def key(number):
    return leaf(-number)


def be_called_back():
    sorted(range(20), key=key)
    list(map(leaf, range(5)))


def churn():
    straight(3)
    recurse(10)
    use_generators(5)
    catch()
    be_called_back()
    recurse(60)


def work():
    while not stop:
        churn()


def trace(frame, event, _):
    if event == "call":
        caller = frame.f_back
        calls.add((caller.f_code.co_name, caller.f_lineno, frame.f_code.co_name))


def is_possible(text):
    frames = [frame.rsplit(":", 1) for frame in text.split(" ")] if text else []
    names = [name for name, _ in frames]
    if not names or names[0] != "_bootstrap":
        return False
    if "churn" not in names:
        return names[-1] in ("_bootstrap", "_bootstrap_inner", "run", "work")
    first = names.index("churn")
    return all(
        (caller, int(line), callee) in calls
        for (caller, line), (callee, _) in zip(frames[first:], frames[first + 1 :])
    )


sys.settrace(trace)
churn()
churn()
sys.settrace(None)
ready, is_ready = os.pipe()
child = os.fork() if sys.argv[2] == "child" else 0
if not child:
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
if sys.argv[2] == "child":
    if not child:
        os.write(is_ready, b"x")
        signal.pause()
    os.read(ready, 1)
    stackreader_module.attach(child)
# The main thread of the child has the same ident as that of its parent.
exact, moving, unreadable, stacks = stackreader_module.churn(
    int(sys.argv[1]), threading.get_ident()
)
stop = True
if child:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
found = {
    "exact": exact,
    "moving": moving,
    "unreadable": unreadable,
    "impossible": [text[-500:] for text in stacks if not is_possible(text)],
}
print(json.dumps(found), flush=True)
