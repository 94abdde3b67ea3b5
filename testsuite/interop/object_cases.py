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
