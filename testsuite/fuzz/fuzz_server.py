# SPDX-License-Identifier: BSD-3-Clause
"""The program that fuzz_server.c fuzzes: two servers, and harmless objects.

A client may do anything that this process can, so there must be nothing that it can do. `compile`,
`eval`, `exec` and the import are taken from builtins and importlib when the extension is
loaded, and before that they are replaced here: code that runs for a client is made of harmless
syntax and harmless names, and the modules that it gets are made here. An audit hook, which is in
fuzz_server.c, refuses what the system is asked for nevertheless, and names that lead from an object
to all others are never sent.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import gc
import importlib
import json
import operator
import posixpath
import queue
import sys
import threading
import time
import traceback  # noqa: F401  the extension needs it at import
import types
import weakref

# ---- What clients may run ------------------------------------------------------------------------

#: Builtins that end for any argument and have no effect outside of the process.
HARMLESS = """
    ArithmeticError AssertionError AttributeError BaseException Ellipsis Exception False
    GeneratorExit IndexError KeyError KeyboardInterrupt LookupError NameError None NotImplemented
    OSError RuntimeError StopIteration SystemExit True TypeError UnicodeDecodeError UnicodeError
    ValueError ZeroDivisionError abs all any ascii bool bytearray bytes callable chr complex dict
    dir divmod enumerate filter float format frozenset getattr hasattr hash id int isinstance
    issubclass len list map max memoryview min next object ord print property repr reversed round
    set setattr slice sorted str super tuple type zip
""".split()

SYNTAX = (
    ast.Expression, ast.Module, ast.Expr, ast.Constant, ast.Name, ast.Attribute, ast.Call,
    ast.keyword, ast.Starred, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Subscript, ast.Slice,
    ast.Lambda, ast.arguments, ast.arg, ast.IfExp, ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop,
    ast.UnaryOp, ast.unaryop, ast.BinOp, ast.Add, ast.Sub, ast.Div, ast.Mod, ast.expr_context,
    ast.JoinedStr, ast.FormattedValue, ast.Assign, ast.Delete, ast.If, ast.Raise, ast.Return,
    ast.FunctionDef, ast.ClassDef, ast.Pass, ast.Try, ast.ExceptHandler, ast.With, ast.withitem,
    ast.Yield, ast.YieldFrom, ast.Assert,
)  # fmt: skip

real_compile, real_eval, real_exec = compile, eval, exec


def names_in(node: ast.AST) -> list[str]:
    """Returns the names that a syntax tree uses."""
    return [
        str(getattr(node, field)) for field in ("id", "attr", "arg", "name") if hasattr(node, field)
    ]


def compile_harmless(text, name, mode, flags=0, dont_inherit=False):
    """compile() for code with harmless syntax and names only."""
    if len(text) > 2000:
        raise MemoryError
    tree = real_compile(text, name, mode, ast.PyCF_ONLY_AST | flags, dont_inherit)
    for node in ast.walk(tree):
        if not isinstance(node, SYNTAX):
            raise PermissionError(type(node).__name__)
        for used in names_in(node):
            if used.startswith("__") and used not in ALLOWED_SPECIAL:
                raise PermissionError(used)
    return real_compile(tree, name, mode, flags, dont_inherit)


ALLOWED_SPECIAL = {
    f"__{name}__"
    for name in "init len getitem setitem iter next call repr str eq hash enter exit del bool doc "
    "class name getattr import contains dir index instancecheck".split()
}


def confined(function):
    """eval or exec in a namespace with the harmless builtins."""

    def run(code, namespace=None, *more):
        if not isinstance(code, types.CodeType) or code.co_filename != "<string>":
            raise PermissionError("not compiled here")
        if type(namespace) is not dict:
            raise TypeError("a namespace is a dict")
        namespace["__builtins__"] = safe_builtins
        return function(code, namespace)

    return run


def import_fake(name, package=None):
    """importlib.import_module for the modules defined here."""
    if not isinstance(name, str):
        raise TypeError(f"a module's name is a str, not {type(name).__name__}")
    if name not in MODULES:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return MODULES[name]


def fake_import(name, *unused):
    """__import__ for code of clients."""
    return import_fake(name)


safe_builtins = {name: getattr(builtins, name) for name in HARMLESS}
safe_builtins |= {"__import__": fake_import, "__name__": "builtins", "print": lambda *a, **k: None}


def fake_module(name: str, members: dict[str, object]) -> types.ModuleType:
    """A module that only clients see."""
    module = types.ModuleType(name, f"What clients see of {name}.")
    vars(module).update(members)
    return module


# ---- Objects for clients -------------------------------------------------------------------------


class Thing:
    """An object with an attribute or method of each kind."""

    exposed_shown = 2
    _private = 3

    def __init__(self, value: object = None) -> None:
        self.value = value

    def method(self, *args: object, **kwargs: object) -> object:
        """Returns its arguments."""
        return args, tuple(kwargs.items())

    exposed_method = method

    def __len__(self) -> int:
        return 4

    def __getitem__(self, key: object) -> object:
        return [1, 2, self.value, 4][key]

    def __setitem__(self, key: object, value: object) -> None:
        self.value = key, value

    def __getslice__(self, start: object, stop: object) -> object:
        return start, stop

    def __call__(self, *args: object) -> object:
        return args

    def __enter__(self) -> Thing:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> bool:
        return isinstance(error, ValueError)

    def __cmp__(self, other: object) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return type(other) is Thing

    def __hash__(self) -> int:
        return 7


class Guarded:
    """Decides itself about access to its attributes."""

    def _rpyc_getattr(self, name: str) -> object:
        if name == "no":
            raise AttributeError("guarded")
        return "got " + name

    def _rpyc_setattr(self, name: str, value: object) -> None:
        vars(self)[name] = value

    def _rpyc_delattr(self, name: str) -> None:
        del vars(self)[name]


class Liar:
    """Reports a wrong class and wrong attributes."""

    __slots__ = ("what",)

    def __init__(self, what: object = None) -> None:
        self.what = what

    @property
    def __class__(self) -> object:  # type: ignore[override]
        return self.what

    def __repr__(self) -> str:
        return self.what  # type: ignore[return-value]

    def __dir__(self) -> object:  # type: ignore[override]
        return self.what

    def __hash__(self) -> int:
        return self.what  # type: ignore[return-value]

    def __iter__(self) -> object:
        return self.what

    def __reduce_ex__(self, protocol: object) -> object:  # type: ignore[override]
        return self.what  # type: ignore[return-value]


class Packed:
    """Defines its own id pack."""

    def __init__(self, pack: object = ("some.thing", 1, 2)) -> None:
        self.____id_pack__ = pack


class Meta(type):
    """A metaclass."""

    def method(cls) -> None:
        """A method of the metaclass."""

    def __instancecheck__(cls, other: object) -> bool:
        return bool(other)


class Classy(metaclass=Meta):
    """A class that defines isinstance() for itself."""


class OddError(Exception):
    """An exception with contents that cannot be sent."""

    public = Thing

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args)
        vars(self).update(more)
        self.thing, self.text, self.numbers = Thing(), "text", (1, 2.5, None)

    @property
    def bad(self) -> None:
        raise ValueError("no")


def fail(name: object = "OddError", *args: object) -> None:
    """Raises."""
    error = safe_builtins.get(name) if isinstance(name, str) else name
    if (
        isinstance(error, BaseException)
        or isinstance(error, type)
        and issubclass(error, BaseException)
    ):
        raise error(*args) if isinstance(error, type) else error
    raise OddError(*args, name=name)


def count(n: int = 10):
    """A generator."""
    for i in range(min(n, 100)):
        yield i, [i]


#: Operations for objects of clients.
USES = [
    repr,
    str,
    dir,
    hash,
    len,
    bool,
    list,
    callable,
    operator.index,
    lambda o: o(),
    lambda o: o(1, [2], key=Thing()),
    lambda o: o.attribute,
    lambda o: o.method(o),
    lambda o: setattr(o, "attribute", [1]),
    lambda o: delattr(o, "attribute"),
    lambda o: o[0],
    lambda o: o[:2],
    lambda o: o + 1,
    lambda o: 1 - o,
    lambda o: o == 1,
    lambda o: o < o,
    lambda o: next(iter(o)),
    lambda o: isinstance(1, o),
    lambda o: isinstance(o, Thing),
    lambda o: isinstance(o, o),
    lambda o: o.__class__,
    lambda o: o.__doc__,
    lambda o: o.__enter__(),
    lambda o: o.__exit__(ValueError, ValueError(), None),
    lambda o: o.__array__(),
    lambda o: o.____id_pack__,
    lambda o: o.____conn__.root,
    lambda o: o.__reduce_ex__(2),
    lambda o: weakref.ref(o)(),
]


def use(obj: object, which: object = None, *more: object) -> object:
    """Performs one operation on an object, or all; returns the result."""
    if isinstance(which, int):
        return USES[which % len(USES)](obj)
    done = []
    for each in USES[:20]:
        try:
            done.append(type(each(obj)).__name__)
        except Exception as error:
            done.append(type(error).__name__)
            if isinstance(error, (EOFError, TimeoutError)):
                break
    return tuple(done)


def catch(function: object, *args: object) -> object:
    """Calls the function; returns the exception, if it raises one."""
    try:
        return function(*args)
    except Exception as error:
        return type(error).__name__, error, error.args, str(error)


def wait(ms: object = 1) -> object:
    """A slow request."""
    time.sleep(min(max(ms, 0), 20) / 1000)
    return ms


# ---- Threads of the program ----------------------------------------------------------------------

errands: queue.SimpleQueue = queue.SimpleQueue()
errands_open = threading.Semaphore(64)


def run_errands() -> None:
    """A thread of the program that uses objects of clients."""
    while True:
        function, args = errands.get()
        with contextlib.suppress(BaseException):
            function(*args)
        function = args = None
        errands_open.release()


def later(function: object, *args: object) -> None:
    """Makes a thread of the program call the function."""
    if errands_open.acquire(blocking=False):
        errands.put((function, args))


def meanwhile(function: object, *args: object) -> object:
    """Makes a thread of the program call the function, and waits a short time for its end."""
    done = threading.Event()
    found: list[object] = []

    def run() -> None:
        try:
            found.append(catch(function, *args))
        finally:
            done.set()

    later(run)
    done.wait(0.05)
    return tuple(found)


kept: list[object] = []


def keep(*objects: object) -> int:
    """Keeps objects after the end of the session."""
    kept.extend(objects[: max(0, 50 - len(kept))])
    return len(kept)


def given(n: object = -1) -> object:
    """Returns an object that was kept, perhaps of another client."""
    return kept[n]


def drop() -> None:
    """Drops all kept objects, on a thread of the program."""
    later(kept.clear)


CORNERS = {
    "big": 2**200,
    "huge": 10**5000,
    "surrogate": "\ud800",
    "nan": float("nan"),
    "deep": functools.reduce(lambda inner, _: (inner,), range(150), []),
    "mixed": (1, [2], (3, ({4: 5},)), frozenset([6]), slice(1, None, 2)),
    "long": "x" * 5000,
    "loop": [],
    "exc": OddError("kept"),
    "type": type,
    "module": types.ModuleType,
    "unknown": types.ModuleType("unknown.module"),
    "bytes": bytes(range(256)),
    "view": memoryview(b"abc"),
    "enum": type("Number", (int,), {})(5),
    "pair": type("Pair", (tuple,), {})((1, 2)),
    "slots": operator.attrgetter,
}
CORNERS["loop"].append(CORNERS["loop"])


def corner(name: object) -> object:
    """Returns a special value."""
    return CORNERS[name]


FUZZ = {
    each.__name__: each
    for each in (
        Thing,
        Guarded,
        Liar,
        Packed,
        Classy,
        Meta,
        OddError,
        fail,
        count,
        use,
        catch,
        wait,
    )
} | {each.__name__: each for each in (later, meanwhile, keep, given, drop, corner)}


def attributes(module: types.ModuleType, names: str) -> dict[str, object]:
    """Returns some attributes of a module."""
    return {name: getattr(module, name) for name in names.split()}


#: Replacements for modules; sys.version_info is a tuple, so it is sent by value.
MODULES = {
    name: fake_module(name, members)
    for name, members in {
        "fuzz": FUZZ,
        "builtins": safe_builtins,
        "importlib.util": {"_find_spec_from_path": lambda name, path=None: MODULES.get(name)},
        "sys": {"maxsize": sys.maxsize, "version_info": tuple(sys.version_info), "argv": []},
        "os": {"getpid": lambda: 1, "sep": "/", "environ": {}},
        "os.path": attributes(posixpath, "join split basename"),
        "time": {"time": time.time, "sleep": lambda seconds: wait(seconds * 1000)},
        "json": attributes(json, "dumps loads"),
        "operator": attributes(operator, "add itemgetter attrgetter eq"),
        "functools": attributes(functools, "partial reduce"),
    }.items()
}
vars(MODULES["os"])["path"] = MODULES["os.path"]


def make_service() -> type:
    """Has the methods of an rpyc.Service: rpyc is not available here."""

    class Service:
        """Exposes objects."""

        hidden = 5

        def on_connect(self, conn: object) -> None:
            self.conn = conn

        def on_disconnect(self, conn: object) -> None:
            self.conn = None

        def exposed_getmodule(self, name: object) -> object:
            return import_fake(name)

        def exposed_eval(self, text: str) -> object:
            return confined(real_eval)(compile_harmless(text, "<string>", "eval"), {})

        def exposed_client_root(self) -> object:
            return self.conn.root

        def exposed_ask(self, handler: int, *args: object) -> object:
            return self.conn.sync_request(handler, *args)

        def exposed_ask_later(self, handler: int, *args: object) -> object:
            result = self.conn.async_request(handler, *args, timeout=0.05)
            result.add_callback(lambda done: None)
            return result.value

        def __len__(self) -> int:
            return 0

    for name, member in FUZZ.items():
        setattr(Service, f"exposed_{name}", staticmethod(member))
    return Service


# ---- For fuzz_server.c ---------------------------------------------------------------------------

servers: list[object] = []
unchanged: list[tuple[object, dict[str, object]]] = []

#: The options of the second server.
CONFIG = {
    "allow_public_attrs": False,
    "allow_setattr": True,
    "allow_pickle": True,
    "import_custom_exceptions": True,
    "instantiate_custom_exceptions": True,
    "include_local_traceback": False,
    "sync_request_timeout": 0.2,
}


def members_of(owner: object) -> dict[str, object]:
    return {n: v for n, v in vars(owner).items() if n not in ("__dict__", "__weakref__")}


def start(directory: str) -> None:
    """Starts the servers: directory/0 with the classic service, directory/1 with another."""
    builtins.compile = compile_harmless
    builtins.eval, builtins.exec = confined(real_eval), confined(real_exec)
    real_import, importlib.import_module = importlib.import_module, import_fake
    import _pystuck  # noqa: F401  which uses these

    builtins.compile, builtins.eval, builtins.exec = real_compile, real_eval, real_exec
    importlib.import_module = real_import
    import inspect  # noqa: F401  imported now, because later imports are refused
    import pickle  # noqa: F401

    import pystuck
    import pystuck._rpyc_compat
    import pystuck.connection

    pystuck._rpyc_compat.MODULES = {}
    limits = {"max_frame": 1 << 20, "max_objects": 300, "max_clients": 16, "send_timeout": 2}
    service = make_service()
    servers.append(pystuck.run_server(unix_socket=f"{directory}/0", **limits))
    servers.append(
        pystuck.run_server(
            unix_socket=f"{directory}/1",
            service_class_getter=lambda: service,
            protocol_config=CONFIG,
            **limits,
        )
    )
    sys.modules["fuzz"] = MODULES["fuzz"]
    threading.Thread(target=run_errands, daemon=True).start()
    owners = [*MODULES.values(), Thing, Guarded, Liar, Packed, Meta, Classy, OddError, service]
    owners += [pystuck.connection.Connection, pystuck.connection.Channel]
    unchanged.extend((owner, members_of(owner)) for owner in owners)
    gc.freeze()


def differs(now: dict[str, object], before: dict[str, object]) -> bool:
    return now.keys() != before.keys() or any(now[name] is not before[name] for name in now)


def put_back(owner: object, before: dict[str, object]) -> None:
    for name in members_of(owner).keys() - before.keys():
        with contextlib.suppress(Exception):
            type.__delattr__(owner, name) if isinstance(owner, type) else delattr(owner, name)
    for name, value in before.items():
        if vars(owner).get(name) is not value:
            with contextlib.suppress(Exception):
                setattr(owner, name, value)


def reset() -> None:
    """Restores the initial state for the next input."""
    kept.clear()
    for owner, before in unchanged:
        if differs(members_of(owner), before):
            put_back(owner, before)


def census() -> int:
    """Counts the objects that must be freed when sessions end."""
    reset()
    gc.collect()
    return sum(type(each) is Thing for each in gc.get_objects())
