"""Reads the tasks, futures, locks and loops of asyncio, and what they refer to.

Tasks are found in the sets of the module asyncio.tasks, from any thread. From Python 3.14 on,
these sets do not have the tasks of the C module _asyncio, which keeps its tasks in C lists that
Python code cannot read. So from 3.14 on, all objects that the garbage collector knows are looked
through.

A task stores the future that it awaits. The object that sets this future is found through the
coroutines of the task (the coroutine of Lock.acquire has the Lock), or through the future's
callbacks (those of shield() and run_in_executor() refer to the future from which this future gets
its result). gc.get_referents() returns the local variables and the value stack of a suspended
coroutine; for an entered `async with` this stack has the __aexit__ of the manager.

No code of the program runs. Attributes are read with the C descriptors of asyncio's own classes,
or with object.__getattribute__ if no class of the object has a descriptor of this name. Tasks are
never put into sets or dicts, because a subclass may have its own __hash__.

A part of the collector: see _stacks.
"""

import collections
import contextlib
import gc
import sys
import types
import weakref

from ._without_code import (
    all_subclasses,
    as_str,
    attempt,
    bases_of,
    class_dict,
    class_name,
    field,
    function_name,
    instances_of,
    is_built_in,
    is_of,
    lookup,
    module_name,
    names_of,
    names_of_code,
    type_name,
)

CHAIN_MAX = 200  #: the most coroutines of a task
_AWAITS_MAX = 1000  #: the most tasks that are listed for one task that awaits them
_NO_MANAGER = object()
_EXITS = ("__aexit__", "__exit__")

CellType = type((lambda value: lambda: value)(0).__closure__[0])
_MethodDescriptorType = type(str.join)
_CORO_TYPES = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)
_method_func = vars(types.MethodType)["__func__"].__get__
_method_self = vars(types.MethodType)["__self__"].__get__
_builtin_self = vars(types.BuiltinFunctionType)["__self__"].__get__
_IS_STACK_IN_FRAME = sys.version_info < (3, 11)


def _code_of(function):
    return function.__code__ if type(function) is types.FunctionType else None


def _cells(function):
    """Return the variables of a closure, by name."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        with contextlib.suppress(ValueError):  # an empty cell
            found[name] = cell.cell_contents
    return found


def line_starts(code):
    """Return a list of (offset, line): the instructions from the offset on belong to the line."""
    if hasattr(code, "co_lines"):
        return [(start, line) for start, _, line in code.co_lines() if line is not None]
    offset, line, found = 0, code.co_firstlineno, []
    for more, lines in zip(code.co_lnotab[::2], code.co_lnotab[1::2]):
        offset, line = offset + more, line + (lines - 256 if lines > 127 else lines)
        found.append((offset, line))
    return [(0, code.co_firstlineno), *found]


def _entries_of(code):
    """Return (offset, line) of each instruction of a code object that enters a `with` block."""
    numbers = names_of("opcode").get("opmap", {})
    names = "BEFORE_ASYNC_WITH", "BEFORE_WITH", "SETUP_WITH"
    plain = {numbers[name] for name in names if name in numbers}
    special = numbers.get("LOAD_SPECIAL")  # from 3.14 on; the arguments are __exit__, __aexit__
    raw, found, starts = code.co_code, [], None
    for offset in range(0, len(raw), 2):
        if raw[offset] in plain or (raw[offset] == special and raw[offset + 1] in (1, 3)):
            starts = starts or line_starts(code)
            lines = [line for start, line in starts if start <= offset]
            found.append((offset, lines[-1] if lines else None))
    return found


class _CodeFacts:
    """Facts about a code object, which are computed once for all tasks."""

    def __init__(self, code, rule):
        self.code, self.rule = code, rule
        self.entries = _entries_of(code)
        self.may_release = "release" in code.co_names
        self.call = names_of_code(code)


class Asyncio:
    """The classes and functions of asyncio in this program, and what its objects store.

    CLASSES gives classes a kind, which is a word. An object has the kind of the first class in its
    MRO that has a kind.
    """

    #: (module, class, kind, methods that wait)
    CLASSES = (
        ("_asyncio", "Task", "task", ()),
        ("_asyncio", "Future", "future", ()),
        ("asyncio.tasks", "_PyTask", "py-task", ()),
        ("asyncio.futures", "_PyFuture", "py-future", ()),
        ("asyncio.locks", "Lock", "lock", (("acquire", "lock"),)),
        ("asyncio.locks", "Event", "event", (("wait", "event"),)),
        ("asyncio.locks", "Condition", "condition", (("wait", "condition"),)),
        ("asyncio.locks", "Semaphore", "semaphore", (("acquire", "semaphore"),)),
        ("asyncio.locks", "Barrier", "barrier", (("wait", "barrier"),)),
        (
            "asyncio.queues",
            "Queue",
            "queue",
            (("get", "queue-get"), ("put", "queue-put"), ("join", "queue-join")),
        ),
        ("asyncio.taskgroups", "TaskGroup", "group", (("__aexit__", "group"), ("_aexit", "group"))),
        ("asyncio.tasks", "_AsCompletedIterator", "iterator", (("_wait_for_one", "iterator"),)),
        ("asyncio.streams", "StreamReader", "stream", (("_wait_for_data", "stream"),)),
        ("asyncio.events", "TimerHandle", "timer", ()),
        ("uvloop.loop", "TimerHandle", "timer", ()),
        ("concurrent.futures._base", "Future", "concurrent", ()),
        ("contextlib", "_AsyncGeneratorContextManager", "generator-manager", ()),
        ("contextlib", "_GeneratorContextManager", "generator-manager", ()),
        ("contextlib", "AsyncExitStack", "exit-stack", ()),
        ("contextlib", "ExitStack", "exit-stack", ()),
    )

    def __init__(self):
        self.tasks = names_of("asyncio.tasks")
        self._bases, self._kinds, self._codes, self._rules = {}, {}, {}, {}
        self._classes = {}
        for module, name, kind, methods in self.CLASSES:
            cls = names_of(module).get(name)
            if not issubclass(type(cls), type):
                continue
            self._bases[id(cls)] = kind
            self._classes[kind] = cls
            for method, rule in methods:
                self._add_rule(class_dict(cls).get(method), rule, kind)
        self._add_rule(self.tasks.get("_wait"), "wait", None)
        self._add_rule(self.tasks.get("sleep"), "sleep", None)
        if sys.version_info < (3, 12):  # later versions await the future itself
            self._add_rule(self.tasks.get("wait_for"), "wait-for", None)
        mixin = names_of("asyncio.locks").get("_ContextManagerMixin")
        self.lock_exit = class_dict(mixin).get("__aexit__") if type(mixin) is type else None
        self.lock_enter = class_dict(mixin).get("__aenter__") if type(mixin) is type else None
        self.gathering = self.tasks.get("_GatheringFuture")
        self.future_await = _code_of(
            class_dict(self._classes["py-future"]).get("__await__")
            if "py-future" in self._classes
            else None
        )
        self._read_c_fields()

    def _add_rule(self, function, rule, kind):
        code = _code_of(function)
        if code is not None:
            self._rules[id(code)] = rule, kind

    def _read_c_fields(self):
        """Find the C descriptors of _asyncio.Task and _asyncio.Future."""
        self._fields = {}
        for kind in ("future", "task"):
            cls = self._classes.get(kind, object)  # from 3.14 on, Task inherits some of Future
            for name in "_state _loop _callbacks _fut_waiter _coro _must_cancel".split():
                found = lookup(cls, name)
                if type(found) is types.GetSetDescriptorType:
                    self._fields[kind, name] = found.__get__
            found = lookup(cls, "get_name")
            if type(found) is _MethodDescriptorType:
                self._fields[kind, "_name"] = found

    def kind(self, thing):
        """Return the kind of an object: a word from CLASSES, such as "lock", or None."""
        cls = type(thing)
        known = self._kinds.get(id(cls))
        if known is None:  # the class is kept, so that no other class gets its id
            words = [self._bases[id(base)] for base in bases_of(cls) if id(base) in self._bases]
            known = self._kinds[id(cls)] = cls, words[0] if words else None
        return known[1]

    def read(self, thing, name):
        """Return a field of a future or task."""
        kind = self.kind(thing)
        read = self._fields.get((kind, name))
        if read is not None:
            return read(thing)
        return None if kind in ("task", "future") else field(thing, name)

    def is_task(self, thing):
        return self.kind(thing) in ("task", "py-task")

    def is_future(self, thing):
        return self.kind(thing) in ("task", "py-task", "future", "py-future")

    def is_pending(self, future):
        state = self.read(future, "_state")
        return type(state) is str and state == "PENDING"

    def facts_of(self, code):
        known = self._codes.get(id(code))
        if known is None:
            rule = self._rules.get(id(code), (None, None))
            # of as_completed(), up to 3.12
            if as_str(code.co_name) == "_wait_for_one" and rule[0] is None:
                completed = _code_of(self.tasks.get("as_completed"))
                if completed is not None and any(code is each for each in completed.co_consts):
                    rule = "completed", "queue"
            known = self._codes[id(code)] = _CodeFacts(code, rule)
        return known

    # -- The tasks --

    def _of_c_lists(self):
        """Return the tasks of the C module _asyncio; before Python 3.14, an empty list.

        From 3.14 on, these tasks are in C lists, and not in the sets that all_tasks() reads.
        """
        if sys.version_info < (3, 14) or "task" not in self._classes:
            return []
        return instances_of(all_subclasses([self._classes["task"]]))

    def all_tasks(self):
        """Return all tasks that are not done, in no order."""
        found = []
        for module in ("asyncio.tasks", "_asyncio"):
            names = names_of(module)
            for name in ("_scheduled_tasks", "_all_tasks", "_eager_tasks"):
                data = names.get(name)
                if type(data) is weakref.WeakSet:
                    data = field(data, "data")
                found += list(data) if type(data) is set else []
        found = [each() if type(each) is weakref.ReferenceType else each for each in found]
        found += self._of_c_lists()
        found = {id(each): each for each in found if self.is_task(each)}
        return [each for each in found.values() if self.is_pending(each)]

    def name(self, task):
        name = self.read(task, "_name")
        if not issubclass(type(name), str):
            return f"task at {id(task):#x}"
        return as_str(name)

    # -- Coroutines --

    def chain(self, task):
        """Return the coroutines of a task as (coroutine, frame), the outermost first."""
        return self.chain_of(self.read(task, "_coro"))

    def chain_of(self, thing):
        """Return a coroutine and those that it awaits, as chain() does."""
        found = []
        while thing is not None and len(found) < CHAIN_MAX:
            kind = type(thing)
            if kind is types.CoroutineType:
                found.append((thing, thing.cr_frame))
                thing = thing.cr_await
            elif kind is types.GeneratorType:
                if thing.gi_code is not self.future_await:
                    found.append((thing, thing.gi_frame))
                thing = thing.gi_yieldfrom
            elif kind is types.AsyncGeneratorType:
                found.append((thing, thing.ag_frame))
                thing = thing.ag_await
            else:
                thing = self._wrapped(thing)
        return [each for each in found if each[1] is not None]

    def _wrapped(self, thing):
        """Return the coroutine that a C object such as async_generator_asend awaits, or None."""
        cls = type(thing)
        if not is_built_in(cls) or self.is_future(thing):
            return None
        word = class_name(cls)
        if word not in (
            "async_generator_asend",
            "async_generator_athrow",
            "coroutine_wrapper",
            "anext_awaitable",
        ):
            return None
        for each in gc.get_referents(thing):
            if is_of(each, *_CORO_TYPES) or class_name(type(each)) == "async_generator_asend":
                return each
        return None

    def referents(self, coroutine, frame):
        """Return the objects to which a suspended coroutine refers.

        The local variables come before the value stack. The result also has objects that belong to
        neither of them.
        """
        return gc.get_referents(frame if _IS_STACK_IN_FRAME else coroutine)

    def first(self, referents, kind):
        """Return the first of the referents that is of this kind, or None.

        For the cell of a closure, checks and returns the content of the cell.
        """
        for each in referents:
            if type(each) is CellType:
                each = attempt(lambda cell=each: cell.cell_contents)
            if self.kind(each) == kind:
                return each
        return None

    # -- Managers of entered `with` blocks --

    def may_release(self, frame):
        """True if the code of a frame may release a lock.

        False for functions of asyncio that wait. Condition.wait() releases only its own lock.
        """
        facts = self.facts_of(frame.f_code)
        return facts.may_release and facts.rule[0] is None

    def managers(self, referents):
        """Return the managers whose __exit__ or __aexit__ are among the referents."""
        found, before = [], None
        for each in referents:
            manager = self._manager(before, each)
            before = each
            if manager is not _NO_MANAGER:
                found.append(manager)
        return found

    @staticmethod
    def _manager(before, each):
        kind = type(each)
        if kind is types.MethodType:
            function = _method_func(each)
            if type(function) is types.FunctionType and function_name(function) in _EXITS:
                return _method_self(each)
        elif kind is types.BuiltinFunctionType and each.__name__ == "__exit__":
            return _builtin_self(each)
        # From 3.14 on, the value stack has the function __exit__ or __aexit__, then the manager.
        kind = type(before)
        if kind is types.FunctionType and function_name(before) in _EXITS:
            found = lookup(type(each), function_name(before))
            return each if found is before else _NO_MANAGER
        if kind is _MethodDescriptorType and before.__name__ == "__exit__":
            return each if lookup(type(each), "__exit__") is before else _NO_MANAGER
        return _NO_MANAGER

    def inner_managers(self, manager, may_release, depth=3):
        """Return a manager and the managers that it has entered.

        An ExitStack and a function with @asynccontextmanager may enter managers. may_release:
        whether the code inside the `with` block may release the manager. Returns a list of
        (manager, whether the code inside the `with` block of this manager may release it).
        """
        kind, found = self.kind(manager), [(manager, may_release)]
        if depth == 0 or kind not in ("exit-stack", "generator-manager"):
            return found
        inner = []
        if kind == "exit-stack":
            callbacks = field(manager, "_exit_callbacks")
            pairs = list(callbacks) if type(callbacks) is collections.deque else []
            inner = [
                _method_self(each[1])
                for each in pairs
                if type(each) is tuple and len(each) == 2 and type(each[1]) is types.MethodType
            ]
        else:
            generator = field(manager, "gen")
            if type(generator) is types.AsyncGeneratorType:
                frame = generator.ag_frame
            elif type(generator) is types.GeneratorType:
                frame = generator.gi_frame
            else:
                return found
            if frame is not None:
                inner = self.managers(self.referents(generator, frame))
                may_release = may_release or self.may_release(frame)
        for each in inner:
            found += self.inner_managers(each, may_release, depth - 1)
        return found

    def is_plain_lock(self, thing):
        """True if `async with` of this asyncio.Lock runs only the code of asyncio."""
        cls = type(thing)
        lock = self._classes.get("lock")
        return (
            lookup(cls, "__aexit__") is self.lock_exit
            and lookup(cls, "__aenter__") is self.lock_enter
            and all(
                lookup(cls, name) is class_dict(lock).get(name) for name in ("acquire", "release")
            )
        )

    # -- What sets a future --

    def _callbacks(self, future):
        """Return (name, variables) of the callbacks of a future that are functions of asyncio."""
        callbacks = self.read(future, "_callbacks")
        for each in callbacks if type(callbacks) is list else ():
            function = each[0] if type(each) is tuple and each else each
            if type(function) is not types.FunctionType or not function.__closure__:
                continue
            if module_name(function.__globals__).startswith("asyncio."):
                yield function_name(function), _cells(function)

    def awaited(self, future, seen=0):
        """Return the tasks and other futures that must be done before this future is."""
        if self.is_task(future):
            return [future]
        if type(future) is self.gathering and seen < 5:
            return self.awaited_of(field(future, "_children"), seen + 1)
        for name, cells in self._callbacks(future):
            if name == "_outer_done_callback" and self.is_future(cells.get("inner")) and seen < 5:
                return self.awaited(cells["inner"], seen + 1)
            if name == "_call_check_cancel" and self.kind(cells.get("source")) == "concurrent":
                return [cells["source"]]
        return [future]

    def awaited_of(self, futures, seen=0):
        """Return what awaited() returns for the pending futures of a list or set."""
        found = []
        if not is_of(futures, list, set, frozenset, tuple):
            return found
        for each in list(futures):
            if len(found) >= _AWAITS_MAX:
                break
            if self.is_future(each) and self.is_pending(each):
                found += self.awaited(each, seen)
        return list({id(each): each for each in found}.values())

    def destinations(self, task):
        """Yield the concurrent futures that the result of a task will set."""
        for name, cells in self._callbacks(task):
            if name == "_call_set_state" and self.kind(cells.get("destination")) == "concurrent":
                yield cells["destination"]

    def requested(self, loop):
        """Yield the concurrent futures of run_coroutine_threadsafe() that have no task yet."""
        for handle in self._ready_of(loop):
            for function in self._callbacks_of(handle):
                if (
                    type(function) is types.FunctionType
                    and function.__globals__ is self.tasks
                    and function.__closure__
                ):
                    future = _cells(function).get("future")
                    if self.kind(future) == "concurrent":
                        yield future

    @staticmethod
    def _ready_of(loop):
        """Return the handles of the callbacks that a loop will run next.

        uvloop has them in a deque that is no attribute, but to which the loop refers.
        """
        ready = field(loop, "_ready")
        names = [type_name(each) for each in bases_of(type(loop))]
        if type(ready) is not collections.deque and "uvloop.loop.Loop" in names:
            found = [each for each in gc.get_referents(loop) if type(each) is collections.deque]
            ready = found[0] if len(found) == 1 else None
        return list(ready)[:_AWAITS_MAX] if type(ready) is collections.deque else []

    @staticmethod
    def _callbacks_of(handle):
        """Return what may be the callback of a handle. A handle of uvloop refers to it."""
        function = field(handle, "_callback")
        if function is not None:
            return [function]
        return gc.get_referents(handle) if type_name(type(handle)) == "uvloop.loop.Handle" else []

    def completions(self, task):
        """Yield (queue, tasks) of each as_completed() that waits for a task, up to Python 3.12."""
        for name, cells in self._callbacks(task):
            if name == "_on_completion" and self.kind(cells.get("done")) == "queue":
                yield cells["done"], cells.get("todo")
