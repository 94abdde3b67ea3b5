# SPDX-License-Identifier: BSD-3-Clause
"""The valid requests of prober.py, and the checks of their answers.

Each probe is a function, and its name is the rule that it checks. Where stock servers differ
according to doc/protocol.md, the probe tests `peer.stock` and quotes the reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from prober_peer import Peer, Refusal, require, same, vinegar
from prober_wire import (
    BUFFITER,
    CALL,
    CALLATTR,
    CLOSE,
    CMP,
    CTXEXIT,
    DEL,
    DELATTR,
    DIR,
    EXCEPTION,
    GETATTR,
    GETROOT,
    HASH,
    INSPECT,
    INSTANCECHECK,
    OLDSLICING,
    PICKLE,
    PING,
    REPLY,
    REPR,
    REQUEST,
    SETATTR,
    STR,
    Mine,
    Raw,
    Theirs,
    box,
    frame,
    interesting_values,
    spellings,
)

#: The probes, by the name of their group.
GROUPS: dict[str, list[Callable[[Peer], None]]] = {}

FUNCTION = Mine(("prober.Function", 71, 72))
THING = Mine(("prober.Thing", 73, 74))

CLASSES = '''
class Base:
    pass

class Probed(Base):
    data = 5
    def __init__(self):
        self.seen = ()
    class Inner:
        pass
    def method(self, a, b=2):
        """Adds."""
        return a + b
    def __call__(self, *args, **kwargs):
        return args, tuple(sorted(kwargs.items()))
    def __lt__(self, other):
        return "less", other
    def __enter__(self):
        return self
    def __exit__(self, *info):
        self.seen = info
        return "left"
    def __str__(self):
        return "a thing"
    def __repr__(self):
        return "Probed()"
'''


def probe(group: str) -> Callable[[Callable[[Peer], None]], Callable[[Peer], None]]:
    """Adds the decorated function to a group of probes."""

    def add(function: Callable[[Peer], None]) -> Callable[[Peer], None]:
        GROUPS.setdefault(group, []).append(function)
        return function

    return add


def probed(peer: Peer) -> Any:
    """Defines the classes in the namespace of the connection; returns an instance of Probed."""
    peer.execute(CLASSES)
    return peer.eval("Probed()")


def raises(sour: Any, name: str, *args: Any) -> None:
    """Checks that vinegar is of the built-in exception `name`, and its arguments if given."""
    require(type(sour) is tuple, f"{sour!r} is not a {name}")
    same(sour[0], ("builtins", name))
    if args:
        same(sour[1], args)


# ---- Handlers ------------------------------------------------------------------------------------


@probe("handlers")
def ping_gives_back_objects_of_both_sides(peer: Peer) -> None:
    for data in (peer.thing, THING, (1, peer.thing, (THING, "a")), (THING, THING)):
        same(peer.value(PING, data), data)


@probe("handlers")
def close_closes_without_an_answer(peer: Peer) -> None:
    peer.send(peer.frame_of(CLOSE))
    same(peer.next_answer(), None)


@probe("handlers")
def getroot_gives_the_same_root_each_time(peer: Peer) -> None:
    for _ in range(3):
        same(peer.value(GETROOT), peer.root)


@probe("handlers")
def getattr_takes_names_as_str_and_as_bytes(peer: Peer) -> None:
    it = probed(peer)
    for name in ("data", b"data"):
        same(peer.value(GETATTR, it, name), 5)
    raises(peer.error(GETATTR, it, "missing"), "AttributeError")


@probe("handlers")
def setattr_and_delattr_change_an_object(peer: Peer) -> None:
    it = probed(peer)
    for name in ("x", b"x"):
        same(peer.value(SETATTR, it, name, (1, "one")), None)
        same(peer.eval("it.x", it), (1, "one"))
        same(peer.value(DELATTR, it, name), None)
        same(peer.eval("hasattr(it, 'x')", it), False)
    raises(peer.error(DELATTR, it, "x"), "AttributeError")


@probe("handlers")
def setting_and_deleting_attributes_of_the_root_is_denied(peer: Peer) -> None:
    peer.error(SETATTR, peer.root, "eval", 1)
    peer.error(DELATTR, peer.root, "eval")
    same(peer.eval("6 * 7"), 42)


@probe("handlers")
def call_and_callattr_pass_arguments_and_keywords(peer: Peer) -> None:
    it = probed(peer)
    for args, kwargs in (((), ()), ((1, "a"), ()), ((), (("k", 1),)), ((1,), (("a", 2), ("b", 3)))):
        same(peer.value(CALL, it, args, kwargs), (args, kwargs))
        same(peer.value(CALLATTR, it, "__call__", args, kwargs), (args, kwargs))
    same(peer.value(CALL, it, (1,)), ((1,), ()))
    same(peer.value(CALLATTR, it, b"method", (1,), (("b", 5),)), 6)
    same(peer.value(CALL, it, (it, (it,))), ((it, (it,)), ()))
    raises(peer.error(CALL, it, (), (("1", 1), (1, 1))), "TypeError")


@probe("handlers")
def repr_str_hash_and_dir_give_the_same_as_in_python(peer: Peer) -> None:
    it = probed(peer)
    same(peer.value(REPR, it), "Probed()")
    same(peer.value(STR, it), "a thing")
    same(peer.value(HASH, it), peer.eval("hash(it)", it))
    same(peer.value(DIR, it), peer.eval("tuple(dir(it))", it))
    raises(peer.error(HASH, peer.thing), "TypeError")


@probe("handlers")
def cmp_calls_the_operator_of_the_type(peer: Peer) -> None:
    it = probed(peer)
    same(peer.value(CMP, it, 5, "__lt__"), ("less", 5))
    same(peer.value(CMP, peer.thing, peer.thing, "__eq__"), True)
    same(peer.value(CMP, peer.thing, (1,), "__eq__"), NotImplemented)
    raises(peer.error(CMP, it, 5), "AttributeError")


@probe("handlers")
def pickle_returns_the_pickled_bytes(peer: Peer) -> None:
    for protocol in (0, 2, 4):
        pickled = peer.eval(f"__import__('pickle').dumps(it, {protocol})", peer.thing)
        same(peer.value(PICKLE, peer.thing, protocol), pickled)


@probe("handlers")
def inspect_lists_methods_with_their_docstrings(peer: Peer) -> None:
    found = peer.value(INSPECT, peer.thing.pack)
    methods = "n: __import__('inspect').getdoc(getattr(list, n)) for n in dir(list) if n[0] != '_'"
    expected = peer.eval(f"tuple(sorted({{{methods}}}.items()))")
    same(tuple(sorted(pair for pair in found if not pair[0].startswith("_"))), expected)
    require("__call__" not in dict(found), "__call__ among the methods of a list")


@probe("handlers")
def inspect_lists_only_callable_attributes(peer: Peer) -> None:
    found = dict(peer.value(INSPECT, probed(peer).pack))
    same(found.get("method"), "Adds.")
    require("__call__" in found, "no __call__ among the methods of a callable object")
    require("data" not in found, "data among the methods")
    require(("Inner" in found) == (peer.envelope.generation == 5), f"the class Inner: {found!r}")


@probe("handlers")
def inspect_of_a_class_includes_the_methods_of_its_metaclass(peer: Peer) -> None:
    probed(peer)
    found = dict(peer.value(INSPECT, peer.eval("Probed").pack))
    require({"method", "__call__", "mro"} <= set(found), f"missing in {found!r:.500}")


@probe("handlers")
def inspect_of_an_unknown_object_is_an_exception(peer: Peer) -> None:
    peer.error(INSPECT, ("builtins.list", 1, 2))


@probe("handlers")
def buffiter_returns_at_most_count_items(peer: Peer) -> None:
    it = peer.eval("iter(range(5))")
    same([peer.value(BUFFITER, it, count) for count in (2, 10, 3)], [(0, 1), (2, 3, 4), ()])
    both = peer.value(BUFFITER, peer.eval("iter([1, it])", peer.thing), 5)
    same(both, (1, peer.thing))


@probe("handlers")
def oldslicing_returns_a_slice(peer: Peer) -> None:
    part = peer.value(OLDSLICING, peer.thing, "__getitem__", "__getslice__", 1, 2, ())
    same(peer.value(REPR, part), "['two']")


@probe("handlers")
def ctxexit_calls_exit_without_an_exception(peer: Peer) -> None:
    it = probed(peer)
    same(peer.value(CTXEXIT, it, None), "left")
    same(peer.value(GETATTR, it, "seen"), (None, None, None))


@probe("handlers")
def ctxexit_calls_exit_with_an_exception(peer: Peer) -> None:
    it = probed(peer)
    peer.request(CTXEXIT, it, Mine(("builtins.ValueError", 75, 0)))
    seen = "isinstance(it.seen[1], BaseException) and it.seen[0] is type(it.seen[1])"
    same(peer.eval(seen, it), True)


@probe("handlers")
def instancecheck_gives_the_result_of_isinstance(peer: Peer) -> None:
    it, classes = probed(peer), peer.eval("Probed, Base, int")
    for cls, truth in zip(classes, (True, True, False)):
        got = peer.value(INSTANCECHECK, cls, it.pack)
        # "stock wrongly says False for classes it has not cached"
        require(got is truth or (peer.stock and got is False), f"{got!r} for {cls}")


@probe("handlers")
def requests_for_unknown_handlers_get_exceptions(peer: Peer) -> None:
    for handler in (0, 21, 99, 255, -1, 1 << 40):
        peer.error(handler)
        peer.error(handler, 1, 2)


# ---- Boxes and id packs --------------------------------------------------------------------------


@probe("boxes and id packs")
def the_id_packs_of_instances_and_classes_are_those_of_stock(peer: Peer) -> None:
    probed(peer)
    pack = "(type(it).__module__ + '.' + type(it).__name__, id(type(it)), id(it))"
    for text in ("[]", "{}", "Probed()", "lambda: 1", "iter([])", "object()", "1 .__add__"):
        it = peer.eval(text)
        same(it.pack, peer.eval(pack, it))
    pack = "(it.__module__ + '.' + it.__name__, id(it), 0)"
    for text in ("list", "Probed", "type", "__import__('threading').Thread"):
        it = peer.eval(text)
        same(it.pack, peer.eval(pack, it))


@probe("boxes and id packs")
def the_id_pack_of_a_module_has_the_name_of_the_module(peer: Peer) -> None:
    made_up = "type(__import__('sys'))('made_up')"
    for text, name in (("__import__('sys')", "sys"), (made_up, "builtins.made_up")):
        it = peer.eval(text)
        same(it.pack, (name, *peer.eval("(id(type(it)), id(it))", it)))
    it = peer.eval("type(__import__('sys'))")
    older = ("builtins.type", *peer.eval("(id(type), id(it))", it))
    newer = ("builtins.module", peer.eval("id(it)", it), 0)
    same(it.pack, older if peer.envelope.generation == 5 else newer)


@probe("boxes and id packs")
def the_class_of_an_instance_has_its_class_id(peer: Peer) -> None:
    for it in (peer.root, peer.thing, probed(peer)):
        cls = peer.value(GETATTR, it, "__class__")
        same(cls.pack, (it.pack[0], it.pack[1], 0))


@probe("boxes and id packs")
def the_attribute_id_pack_of_an_object_is_its_id_pack(peer: Peer) -> None:
    peer.execute("class Named:\n    ____id_pack__ = ('some.Name', 5, 6)\n")
    same(peer.eval("Named()").pack, ("some.Name", 5, 6))


@probe("boxes and id packs")
def instances_of_subclasses_of_plain_types_are_sent_by_reference(peer: Peer) -> None:
    for kind in ("int", "float", "bytes", "str", "tuple", "frozenset", "complex"):
        it = peer.eval(f"type('Sub', ({kind},), {{'__module__': 'made.up'}})()")
        require(type(it) is Theirs, f"a {kind} is sent as {it!r}")
    for text in ("bytearray(b'x')", "memoryview(b'x')", "set()", "range(3)", "object"):
        require(type(peer.eval(text)) is Theirs, text)


@probe("boxes and id packs")
def tuples_with_objects_in_them_are_boxed_item_by_item(peer: Peer) -> None:
    expected = (peer.thing, 1, ((), peer.thing), (2, (3,)))
    same(peer.eval("(it, 1, ((), it), (2, (3,)))", peer.thing), expected)
    for text in ("frozenset([object()])", "slice(object())"):
        require(type(peer.eval(text)) is Theirs, text)


# ---- Exceptions ----------------------------------------------------------------------------------

RAISING = """
class Custom(Exception):
    inside = 1
def raise_custom(*args):
    error = Custom(*args)
    error.number, error.thing, error._private = 5, [1], 6
    raise error
def raise_it(error):
    raise error
"""


@probe("exceptions")
def vinegar_has_the_name_arguments_and_traceback_of_an_exception(peer: Peer) -> None:
    peer.execute(RAISING)
    for text, name, *args in (
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("{}['key']", "KeyError", "key"),
        ("raise_it(ValueError(1, 'a', (2.5, None)))", "ValueError", 1, "a", (2.5, None)),
        ("int('x')", "ValueError"),
        ("missing", "NameError"),
        ("1 +", "SyntaxError"),
        ("raise_it(OSError(2, 'No', 'file'))", "FileNotFoundError", 2, "No"),
        ("__import__('sys').exit(3)", "SystemExit", 3),
    ):
        sour = peer.error(CALLATTR, peer.root, "eval", (text,))
        raises(sour, name, *args)
        require(name in sour[3], f"the traceback does not contain {name}: {sour[3]!r}")


@probe("exceptions")
def vinegar_has_attributes_as_values_or_as_their_repr(peer: Peer) -> None:
    peer.execute(RAISING)
    name, args, attributes, text = peer.error(CALL, peer.eval("raise_custom"), (1, peer.thing))
    same(name, (peer.eval("Custom.__module__"), "Custom"))
    same(args, (1, "[1, 'two']"))
    expected = {"inside": 1, "number": 5, "thing": "[1]"}
    same({key: value for key, value in attributes if key in expected}, expected)
    require("_private" not in dict(attributes), f"private attributes: {attributes!r}")
    # "send '<version denied>', which no client warns about"
    version = dict(attributes)["_remote_version"]
    require(version == "<version denied>" or peer.stock, f"the version is {version!r}")
    require("raise_custom" in text, f"the traceback is {text!r}")


@probe("exceptions")
def stopiteration_is_sent_as_the_int_1(peer: Peer) -> None:
    same(peer.error(CALLATTR, peer.eval("iter(())"), "__next__", ()), 1)


@probe("exceptions")
def a_result_that_cannot_be_sent_is_an_exception(peer: Peer) -> None:
    peer.execute(RAISING)
    for text in ("10 ** 5000", "'\\ud800'", "(1, ('\\udfff',))", "raise_it(KeyError('\\ud800'))"):
        message = peer.request_or_none(CALLATTR, peer.root, "eval", (text,))
        if message is None and peer.stock:
            return  # "stock loses the connection over them"
        require(message is not None and message.kind == EXCEPTION, f"{text}: {message!r:.200}")
        same(peer.eval("6 * 7"), 42)


# ---- Values --------------------------------------------------------------------------------------


def values_come_back(peer: Peer, spell: Callable[[Any], list[bytes]]) -> None:
    """Sends each value, in each of its spellings, through PING and through Python."""
    identity = peer.eval("lambda *args: args")
    described = peer.eval("lambda it: (type(it).__name__, repr(it))")
    for value in interesting_values():
        for way in spell(value):
            same(peer.value(PING, Raw(way)), value)
            same(peer.value(CALL, identity, (Raw(way),)), (value,))
        if type(value) is not frozenset:  # the order of its items is not defined
            shown = peer.value(CALL, described, (value,))
            same(shown, (type(value).__name__, repr(value)))


@probe("values")
def every_value_comes_back_unchanged(peer: Peer) -> None:
    values_come_back(peer, lambda value: spellings(value)[:1])


@probe("values")
def every_spelling_of_a_value_is_understood(peer: Peer) -> None:
    def others(value: Any) -> list[bytes]:
        # "only from Python 2 peers": stock reads it in 4.1 alone
        return [way for way in spellings(value)[1:] if not (peer.stock and way[0] == 0x09)]

    values_come_back(peer, others)


# ---- References ----------------------------------------------------------------------------------


@probe("references")
def an_object_is_held_until_each_reference_was_deleted(peer: Peer) -> None:
    it = peer.eval("[7]")
    same([peer.value(PING, it) for _ in range(3)], [it] * 3)
    same(peer.value(DEL, it, 2), None)
    same(peer.value(REPR, it), "[7]")
    same(peer.value(DEL, it), None)
    same(peer.value(DEL, it), None)
    raises(peer.error(REPR, it), "KeyError")
    raises(peer.error(DEL, it), "KeyError")


@probe("references")
def id_packs_are_compared_as_a_whole(peer: Peer) -> None:
    name, cls, instance = peer.thing.pack
    for pack in ((name + "x", cls, instance), (name, cls + 1, instance), (name, cls, 0)):
        raises(peer.error(REPR, Theirs(pack)), "KeyError")
    same(peer.value(REPR, peer.thing), "[1, 'two']")


@probe("references")
def objects_of_another_connection_are_unknown(peer: Peer) -> None:
    with peer.another() as other:
        raises(peer.error(REPR, other.thing), "KeyError")
        raises(peer.error(INSPECT, other.thing.pack), "KeyError")
        same(other.value(REPR, other.thing), "[1, 'two']")


@probe("references")
def the_server_deletes_each_reference_to_an_object_of_the_client(peer: Peer) -> None:
    returned = {FUNCTION: 0, THING: 0}

    def give_back(mine: Mine, count: int = 1) -> None:
        returned[mine] += count

    peer.serving[DEL] = give_back
    for data in (THING, (THING, FUNCTION), (1, (THING, FUNCTION))):
        same(peer.value(PING, data), data)
    deadline = time.monotonic() + peer.patience
    while returned != {FUNCTION: 2, THING: 3}:
        peer.eval("__import__('gc').collect()")
        require(time.monotonic() < deadline, f"the server deleted {returned}")


# ---- The classic service -------------------------------------------------------------------------


@probe("the classic service")
def getmodule_returns_modules_by_name(peer: Peer) -> None:
    path = peer.eval("__import__('os').path")
    same(peer.value(CALLATTR, peer.root, "getmodule", ("os.path",)), path)
    raises(peer.error(CALLATTR, peer.root, "getmodule", ("no_such",)), "ModuleNotFoundError")
    if not peer.stock or peer.envelope.generation > 5:  # "From 5.3 `getmodule` may get a tuple"
        same(peer.value(CALLATTR, peer.root, "getmodule", (("os", "path"),)), path)


@probe("the classic service")
def each_connection_has_its_own_namespace(peer: Peer) -> None:
    peer.execute("number = 5")
    space = peer.value(GETATTR, peer.root, "namespace")
    same(peer.value(CALLATTR, space, "__getitem__", ("number",)), 5)
    same(peer.eval("number + 1"), 6)
    with peer.another() as other:
        raises(other.error(CALLATTR, other.root, "eval", ("number",)), "NameError")


@probe("the classic service")
def getconn_returns_the_connection(peer: Peer) -> None:
    connection = peer.value(CALLATTR, peer.root, "getconn", ())
    require(type(peer.value(GETATTR, connection, "_config")) is Theirs, "no _config")
    raises(peer.error(CALLATTR, peer.root, "eval", ("1 / 0",)), "ZeroDivisionError")
    require(peer.value(GETATTR, connection, "_last_traceback") is not None, "no _last_traceback")


# ---- Requests of the server ----------------------------------------------------------------------


def calling(peer: Peer, function: Callable[..., Any]) -> Callable[..., Any]:
    """Serves calls of FUNCTION with `function`; returns what makes the server call FUNCTION."""
    peer.serving[CALL] = lambda mine, args, kwargs=(): function(*args, **dict(kwargs))
    caller = peer.eval("lambda f, *args, **kwargs: f(*args, **kwargs)")

    def have_called(*args: Any, **kwargs: Any) -> Any:
        return peer.value(CALL, caller, (FUNCTION, *args), tuple(kwargs.items()))

    return have_called


@probe("callbacks")
def the_server_calls_functions_of_the_client(peer: Peer) -> None:
    call = calling(peer, lambda *args, **kwargs: (args, tuple(kwargs.items())))
    same(call(1, "a", key=(None,)), ((1, "a"), (("key", (None,)),)))
    same(call(peer.thing, THING), ((peer.thing, THING), ()))


@probe("callbacks")
def the_server_answers_requests_while_it_waits_for_the_client(peer: Peer) -> None:
    def nested(depth: int) -> Any:
        return peer.eval("6 * 7") if depth == 0 else call(depth - 1)

    call = calling(peer, nested)
    same([call(depth) for depth in (0, 1, 5, 20)], [42] * 4)


CATCHING = """
def caught(f, *args):
    try:
        f(*args)
    except (ValueError, StopIteration) as error:
        return type(error).__name__, error.args
"""


@probe("callbacks")
def exceptions_of_the_client_are_raised_in_the_server(peer: Peer) -> None:
    def refuse(sour: Any) -> None:
        raise Refusal(vinegar("ValueError", "no", 5) if sour is None else sour)

    calling(peer, refuse)
    peer.execute(CATCHING)
    caught = peer.eval("caught")
    same(peer.value(CALL, caught, (FUNCTION, None)), ("ValueError", ("no", 5)))
    same(peer.value(CALL, caught, (FUNCTION, 1))[0], "StopIteration")
    raises(peer.error(CALL, peer.eval("lambda f: f(None)"), (FUNCTION,)), "ValueError", "no", 5)


@probe("callbacks")
def the_server_reads_attributes_of_objects_of_the_client(peer: Peer) -> None:
    peer.serving[GETATTR] = lambda mine, name: (mine, name)
    same(peer.eval("it.some_name", THING), (THING, "some_name"))


# ---- Delivery ------------------------------------------------------------------------------------


def pings(peer: Peer, count: int) -> list[bytes]:
    """Returns frames of PING requests, numbered from 0."""
    return [peer.frame_of(PING, number, seq=number) for number in range(count)]


def pings_are_answered(peer: Peer, count: int) -> None:
    """Reads the answers to pings(), in order."""
    for number in range(count):
        same(peer.answer(number)[:3], (REPLY, number, box(number)))


@probe("delivery")
def many_requests_may_come_in_one_piece(peer: Peer) -> None:
    peer.send(b"".join(pings(peer, 1000)))
    pings_are_answered(peer, 1000)


@probe("delivery")
def bytes_may_come_one_by_one(peer: Peer) -> None:
    for byte in b"".join(pings(peer, 10)):
        peer.send(bytes([byte]))
    pings_are_answered(peer, 10)


@probe("delivery")
def a_thousand_requests_may_wait_for_their_answers_to_be_read(peer: Peer) -> None:
    text = "b'x' * 2000"
    for number in range(1000):
        peer.send(peer.frame_of(CALLATTR, peer.root, "eval", (text,), seq=number))
    for number in range(1000):
        same(peer.answer(number)[:3], (REPLY, number, box(b"x" * 2000)))


@probe("delivery")
def frames_may_be_compressed_or_not(peer: Peer) -> None:
    for size in (0, 1, 2999, 3001, 100_000, 8_000_000):
        for flag in (0, 1):
            data = b"ab" * (size // 2)
            payload = peer.envelope.payload(REQUEST, size, (PING, box((data,))))
            peer.send(frame(payload, flag))
            same(peer.answer(size).args, box(data))


@probe("delivery")
def each_answer_has_the_number_of_its_request(peer: Peer) -> None:
    for seq in (5, 5, 4, 0, 255, 256, 1 << 16, 1 << 31, (1 << 32) - 1, 5):
        peer.send(peer.frame_of(PING, "data", seq=seq))
        same(peer.answer(seq).args, box("data"))
