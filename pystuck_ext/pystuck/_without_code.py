"""Uses the system and reads objects of the program, without running code of the program.

The functions of the system are stored in `system` when this module is loaded, because a program may
replace the functions in their modules (gevent, freezegun, pyfakefs).

A part of the collector: see _stacks.
"""

import _thread
import functools
import gc
import os
import sys
import threading
import time
import types


class _Kept:
    """Keeps functions of the system as attributes of an object.

    Global variables cannot be used, because some libraries for tests replace functions of the
    system in the global variables of all modules.
    """


def _original(module, name):
    """Return a C function of a module, or None.

    If gevent has replaced the function, returns the original function, which gevent has saved.
    """
    value = vars(module).get(name)
    if type(value) is not types.BuiltinFunctionType:
        monkey = sys.modules.get("gevent.monkey")
        value = getattr(monkey, "saved", {}).get(module.__name__, {}).get(name)
    return value if type(value) is types.BuiltinFunctionType else None


def _keep():
    kept = _Kept()
    posix = sys.modules.get("posix", os)  # libraries replace the functions of os
    for name in "open close read stat fstat getpid getppid uname readlink".split():
        setattr(kept, name, _original(posix, name) or getattr(os, name, None))
    for name in "allocate_lock start_new_thread get_ident get_native_id".split():
        setattr(kept, name, _original(_thread, name))
    kept.main_ident = _original(_thread, "_get_main_thread_ident")
    kept.sleep = _original(time, "sleep")
    clock = _original(time, "clock_gettime")
    kept.clock = clock
    kept.now = clock and functools.partial(clock, time.CLOCK_MONOTONIC) or time.monotonic
    kept.time = clock and functools.partial(clock, time.CLOCK_REALTIME) or time.time
    names = "O_CLOEXEC O_NONBLOCK O_NOCTTY".split()
    kept.flags = sum(getattr(os, name, 0) for name in names)
    # gevent replaces threading.Thread. The class of the main thread's object is the original class
    # or a subclass of it. In the MRO of this class, only the original class defines __dict__.
    (kept.thread,) = [
        each for each in type(vars(threading)["_main_thread"]).__mro__ if "__dict__" in vars(each)
    ]
    kept.thread_dict = vars(kept.thread)["__dict__"].__get__
    kept.thread_repr = vars(kept.thread).get("__repr__")
    if getattr(kept.thread_repr, "__globals__", None) is not vars(threading):
        kept.thread_repr = None
    kept.dummy = vars(threading).get("_DummyThread")
    kept.handle = getattr(_thread, "_ThreadHandle", None)
    return kept


system = _keep()
mro = vars(type)["__mro__"].__get__
class_dict = vars(type)["__dict__"].__get__
_class_name = vars(type)["__name__"].__get__
_class_module = vars(type)["__module__"].__get__
_type_flags = vars(type)["__flags__"].__get__
_HEAP_TYPE = 1 << 9  #: the bit of a class's __flags__ that says that the class is not built in
_ABSENT = object()
_PART = 500  #: how many objects a function of C gets in one call


def as_str(text):
    """Return a text as a plain str, not as an instance of a subclass."""
    return text if type(text) is str else str.__str__(text)


def class_name(cls):
    return as_str(_class_name(cls))


def function_name(function):
    """Return the __name__ of a function that is written in Python."""
    return as_str(function.__name__)


def names_of_code(code):
    """Return (file, function, qualified name or None) of a code object."""
    qualname = getattr(code, "co_qualname", None)
    return (
        as_str(code.co_filename),
        as_str(code.co_name),
        None if qualname is None else as_str(qualname),
    )


def module_name(names):
    """Return the name of the module that has these globals; "" if it is not a plain str.

    The globals of a function may be of a subclass of dict, with methods of its own.
    """
    name = dict.get(names, "__name__")
    return name if type(name) is str else ""


def sendable(text):
    """Return the text with lone surrogates as escapes."""
    return str.encode(text, "utf-8", "backslashreplace").decode("utf-8")


def attempt(function, otherwise=None):
    try:
        return function()
    except KeyboardInterrupt:
        raise
    except BaseException:
        return otherwise


class Untraced:
    """A context manager, inside which the program's trace functions do not run on this thread."""

    def __enter__(self):
        self._trace, self._profile = sys.gettrace(), sys.getprofile()
        if self._trace is not None:
            sys.settrace(None)
        if self._profile is not None:
            sys.setprofile(None)

    def __exit__(self, *error):
        if self._profile is not None:
            sys.setprofile(self._profile)
        if self._trace is not None:
            sys.settrace(self._trace)


def own_dict(thread):
    """Return the __dict__ of a thread object; {} for any other object."""
    try:
        own = system.thread_dict(thread)
    except TypeError:
        return {}
    return own if type(own) is dict else {}


def own_field(thread, name, kind):
    """Return an attribute from a thread object's __dict__; None if its type is not `kind`."""
    value = own_dict(thread).get(name)
    return value if type(value) is kind else None


def names_of(module):
    """Return the globals of a module that the program has imported; {} if it has not."""
    module = sys.modules.get(module)
    return vars(module) if type(module) is types.ModuleType else {}


def bases_of(cls):
    """Return the MRO of a class; () for a C class that PyType_Ready() has not completed."""
    return mro(cls) or ()


def _is_descriptor(value):
    return any(
        name in class_dict(base)
        for base in bases_of(type(value))
        for name in ("__get__", "__set__", "__delete__")
    )


def field(thing, name):
    """Return an attribute of an object; None if it has none, or if code would have to run."""
    for base in bases_of(type(thing)):
        found = class_dict(base).get(name, _ABSENT)
        if found is _ABSENT:
            continue
        if type(found) is not types.MemberDescriptorType and _is_descriptor(found):
            return None
        break
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


def all_subclasses(classes):
    """Return a dict of classes and all their subclasses, keyed by id."""
    found, left = {}, list(classes)
    while left:
        cls = left.pop()
        if id(cls) not in found:
            found[id(cls)] = cls
            left += type.__subclasses__(cls)
    return found


def instances_of(classes):
    """Return the objects of these classes that the garbage collector knows, in no order.

    classes: a dict of classes, keyed by id. With the extension, from Python 3.12 on, looks through
    the objects without making a list of all of them.
    """
    find = getattr(sys.modules.get("_pystuck"), "instances", None)
    found = find(list(classes.values())) if find is not None else None
    if found is None:
        found = [each for each in gc.get_objects() if id(type(each)) in classes]
    return found


def in_parts(things):
    """Yield a list in parts, so that a function of C keeps the GIL for a short time only."""
    for at in range(0, len(things), _PART):
        yield things[at : at + _PART]


def read_frames(frames):
    """Return an item for each frame, as _pystuck.frame_objects() does, for many frames.

    Without the extension, or if another thread uses the stack reader, the items are None.
    """
    read, found = getattr(sys.modules.get("_pystuck"), "frame_objects", None), []
    for part in in_parts(frames):
        found += (read and read(part)) or [None] * len(part)
    return found


def lookup(cls, name):
    """Return the value of a name in the dict of a class or of one of its bases; else None."""
    for base in bases_of(cls):
        found = class_dict(base).get(name, _ABSENT)
        if found is not _ABSENT:
            return found
    return None


def methods_of(table):
    """Yield (function, kind, class) for each method of a table that exists in this program.

    table: rows of the name of a module, the name of a class, the names of methods, and a kind.
    """
    for module, name, methods, kind in table:
        cls = names_of(module).get(name)
        if issubclass(type(cls), type):
            for each in methods.split():
                yield lookup(cls, each), kind, cls


def is_of(thing, *types_):
    """True if the type of an object is one of types_.

    The operator `in` would also call __eq__ of a metaclass.
    """
    return any(type(thing) is each for each in types_)


def is_built_in(cls):
    """True if a class is a static type, which only C code can define."""
    return not _type_flags(cls) & _HEAP_TYPE


def type_name(cls):
    """Return the name of a class with its module, without code of a metaclass."""
    module, name = attempt(lambda: _class_module(cls)), class_name(cls)
    return sendable(f"{module}.{name}" if type(module) is str else name)
