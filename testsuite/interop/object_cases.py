# SPDX-License-Identifier: BSD-3-Clause
"""More cases for stock clients: objects, and what the handlers answer for them."""

from __future__ import annotations

from typing import Any

from rpyc.core import consts
from stock_cases import case, raises

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
