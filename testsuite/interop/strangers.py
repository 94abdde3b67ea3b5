# SPDX-License-Identifier: BSD-3-Clause
"""Clients of other users: checks who can connect, and counts those that must not."""

from __future__ import annotations

from typing import Any

import figures
from harness import STRANGER, Debuggee, as_user
from rawpeer import Envelope, raw_connect


def is_let_in(debuggee: Debuggee) -> bool:
    """Returns True if this user gets an answer, in both envelopes. Else the connection must end
    without any data."""
    answers = []
    for envelope in Envelope:
        with raw_connect(debuggee, envelope) as peer:
            answers.append(peer.works())
    assert answers in ([True, True], [False, False])
    return answers[0]


def lets_in(debuggee: Debuggee, user: int, **groups: Any) -> bool:
    """Returns True if a user who may connect can connect. `groups` as for `as_user`."""
    return as_user(user, lambda: is_let_in(debuggee), **groups)


def keeps_out(debuggee: Debuggee, user: int = STRANGER, **groups: Any) -> bool:
    """Returns True if a user who may not connect gets nothing."""
    is_in = lets_in(debuggee, user, **groups)
    count(len(Envelope), are_in=is_in)
    return not is_in


def count(clients: int, *, are_in: bool) -> None:
    """Counts clients of users who may not connect."""
    figures.add("strangers", clients)
    if are_in:
        figures.add("strangers let in", clients)
