# SPDX-License-Identifier: BSD-3-Clause
"""Users who try to get in: whether they are, and counted where they should not be."""

from __future__ import annotations

from typing import Any

import figures
from harness import STRANGER, Debuggee, as_user
from rawpeer import Envelope, raw_connect


def is_let_in(debuggee: Debuggee) -> bool:
    """Whether this user gets an answer, in both envelopes; if not, then it is the end of file and
    nothing before."""
    answers = []
    for envelope in Envelope:
        with raw_connect(debuggee, envelope) as peer:
            answers.append(peer.works())
    assert answers in ([True, True], [False, False])
    return answers[0]


def lets_in(debuggee: Debuggee, user: int, **groups: Any) -> bool:
    """Whether a user who may come in is let in; `groups` as of `as_user`."""
    return as_user(user, lambda: is_let_in(debuggee), **groups)


def keeps_out(debuggee: Debuggee, user: int = STRANGER, **groups: Any) -> bool:
    """Whether a user who may not come in gets nothing."""
    is_in = lets_in(debuggee, user, **groups)
    count(len(Envelope), are_in=is_in)
    return not is_in


def count(clients: int, *, are_in: bool) -> None:
    """Counts clients of users who may not come in."""
    figures.add("strangers", clients)
    if are_in:
        figures.add("strangers let in", clients)
