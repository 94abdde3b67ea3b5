# SPDX-License-Identifier: BSD-3-Clause
"""More cases for stock clients: objects, and what the handlers answer for them."""

from __future__ import annotations

from typing import Any

from rpyc.core import consts
from stock_cases import Differs, case, raises

# ---- Requests ------------------------------------------------------------------------------------


@case
def a_reference_that_was_not_given_is_a_key_error(c: Any) -> None:
    unknown = ("elsewhere.Thing", 5, 6)
    with raises(KeyError) as caught:
        c.sync_request(consts.HANDLE_INSPECT, unknown)
    assert caught.value.args == (unknown,)


@case
def the_root_has_the_name_of_its_service(c: Any) -> None:
    assert c.root.get_service_name() == "SLAVE"
    assert tuple(c.root.get_service_aliases()) == ("SLAVE",)
    assert c.root.exposed_get_service_name() == "SLAVE"
    assert tuple(c.root.exposed_get_service_aliases()) == ("SLAVE",)


# ---- Classes of the client in the server ---------------------------------------------------------


class Base:
    """A class that the server does not know."""


class Derived(Base):
    """One that derives from it."""


class Meta(type):
    """A metaclass with an opinion."""

    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, list)


class Judged(metaclass=Meta):
    """What is an instance of this is up to Meta."""


@case
def a_class_of_the_client_that_is_known_knows_its_instances(c: Any) -> None:
    check = c.eval("lambda cls, text: isinstance(eval(text), cls)")
    assert check(int, "5") is True
    assert check(int, "'5'") is False
    assert check(dict, "__import__('collections').OrderedDict()") is True
    assert check(KeyError, "KeyError(1)") is True
    assert check(LookupError, "KeyError(1)") is True


@case(Differs("it is not prepared for classes that it does not know", server="rpyc*"))
def nothing_of_the_server_is_an_instance_of_a_class_it_does_not_know(c: Any) -> None:
    check = c.eval("lambda cls, text: isinstance(eval(text), cls)")
    assert check(Base, "5") is False
    assert check(Base, "object()") is False


@case
def objects_of_the_client_are_instances_of_their_classes(c: Any) -> None:
    check = c.eval("lambda o, cls: isinstance(o, cls)")
    assert check(Base(), Base) is True
    assert check([], list) is True
    assert check([], dict) is False
    assert check(Base(), Derived) is False
    with raises(TypeError):
        check(Base(), Base())
    with raises(TypeError):
        check(5, Base())


@case(Differs("it says what is true of classes that it has seen", server="rpyc*"))
def objects_of_the_client_are_instances_of_base_classes(c: Any) -> None:
    check = c.eval("lambda o, cls: isinstance(o, cls)")
    assert check(Derived(), Base) is True
    assert check(Derived(), object) is True
    assert check([], Judged) is True
    assert check({}, Judged) is False


@case(Differs("what a class is that it does not know is a guess", server="rpyc*"))
def a_class_of_the_client_is_a_type(c: Any) -> None:
    check = c.eval("lambda o: isinstance(o, type)")
    assert check(int) is True
    assert check(Base) is True
    assert check(Meta) is True
    assert check(Base()) is False
    assert check(5) is False


@case
def the_class_of_an_object_of_the_client_says_where_it_was_made(c: Any) -> None:
    known = c.eval("lambda o: type(o).__module__ in ('rpyc.core.netref', '_pystuck')")
    assert known([]) is True
    assert known(Base()) is True
    assert known(Base) is True
    name = c.eval("lambda o: '%s.%s' % (type(o).__module__, type(o).__qualname__)")
    assert "list" in name([]) or "type" in name([])
    assert c.eval("lambda o: 'class' in repr(type(o))")(Base()) is True
