"""Runs threads that call, recurse, raise, run generators, are called back, switch greenlets and run
code that is compiled each time, while they are read.

Arguments: how many stacks to read; "self" or "child": the process in which the threads run. A child
is read from outside. Without the module greenlet no greenlets are switched. Prints a
JSON object: `exact`, `moving` and `unreadable`, their numbers; `greenlets`, whether some were
switched; and `impossible`, the stacks that were called exact and in which a call is that no
function makes.
"""

import json
import os
import signal
import sys
import threading

import stackreader_module

try:
    import greenlet
except ImportError:
    greenlet = None

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


def switch(count):
    for _ in range(count):
        leaf(count)
        greenlet.getcurrent().parent.switch()
    recurse(3)


def switch_more(count):
    switch(count)


def use_greenlets():
    pair = [greenlet.greenlet(switch), greenlet.greenlet(switch_more)]
    while not all(each.dead for each in pair):
        for each in pair:
            each.switch(3)


def compiled(number):
    """Runs code that is freed afterwards, so that other code takes its place in memory. The name of
    its file ends in the number of its function, and so does that of its line."""
    name = f"made_{number}"
    lines = "\n" * number
    code = compile(f"{lines}def {name}(): return leaf(1)\n{name}()", f"{name}.py", "exec")
    exec(code, {"leaf": leaf})


def compile_all():
    for number in range(10):
        compiled(number)


def churn():
    straight(3)
    compile_all()
    if greenlet:
        use_greenlets()
    recurse(10)
    use_generators(5)
    catch()
    be_called_back()
    recurse(60)


def work():
    while not stop:
        churn()


def trace(frame, event, _):
    caller = frame.f_back
    if event == "call" and caller:
        calls.add((caller.f_code.co_name, caller.f_lineno, frame.f_code.co_name))


def is_possible(text):
    frames = [frame.rsplit(":", 1) for frame in text.split(" ")] if text else []
    names = [name for name, _ in frames]
    if not names or names[0] in ("switch", "switch_more"):
        if not greenlet:
            return False
        first = 0
    elif names[0] != "_bootstrap":
        return False
    elif "churn" not in names:
        return names[-1] in ("_bootstrap", "_bootstrap_inner", "run", "work")
    else:
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
    "greenlets": greenlet is not None,
    "unreadable": unreadable,
    "impossible": [text[-500:] for text in stacks if not is_possible(text)],
}
print(json.dumps(found), flush=True)
