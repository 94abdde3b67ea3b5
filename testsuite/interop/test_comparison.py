# SPDX-License-Identifier: BSD-3-Clause
"""pystuck's server answers the same client exactly as stock's server, about the same objects.

comparison.py makes the requests that are compared.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import PATIENCE, RPYC4, RPYC5, RPYC6, SANITIZED, Stock, python, start_stuck

#: The answers that differ, and the reasons. Each of these differences must exist.
DIFFERENT = {
    # Requests with which stock loses the connection.
    "c.builtins.type([]).__name__": "stock cannot send the class of a netref",
    "raising e = KeyError(1); e.thing = Failing(); raise e": "stock cannot send what has no repr",
    # Requests to which stock returns a wrong result.
    'isinstance(c.eval("Thing"), c.eval("type"))': "stock says that no class is a type",
    # An exception of the client that comes back: pystuck keeps its class.
    'c.eval("caught")(fail, HereError("mine", [1]))': "stock derives from its stand-in once more",
    # Questions about the classes of netrefs.
    'c.eval("lambda x: (type(x).__module__, type(x).__mro__[-1].__name__)")([])': "made elsewhere",
    'c.eval("lambda x: repr(type(x))")(HERE)': "no metaclass that shows them in another way",
    'c.eval("lambda x: repr(type(x))")([])': "no metaclass that shows them in another way",
    'c.eval("lambda x: type(x).method.__doc__")(HERE)': "their methods are one function",
    'c.eval("lambda x: type(x).method.__name__")(HERE)': "their methods are one function",
    # Requests that no client sends: they are rejected with another text.
    'req(consts.HANDLE_BUFFITER, c.eval("iter(range(5))"), -1)': "stock speaks of its islice",
    "req(consts.HANDLE_DEL, 5)": "stock makes an id pack for what is not counted",
    "req(consts.HANDLE_GETATTR)": "stock names the arguments of its method",
}

#: More answers that differ for clients before rpyc 6.0. Errors of pystuck name netrefs as 6.0 does.
DIFFERENT_BEFORE_6 = {
    'c.eval("[1]") + [2]': "its name in an error",
    'c.eval("generator()").throw(KeyError)': "its name in an error",
    'c.eval("lambda x: [0] + x")([1])': "its name in an error",
    'c.eval("type")("Made", (), {})': "its name in an error",
    'c.eval("type")("Made", (c.eval("Thing"),), {})': "its name in an error",
    'c.eval("lambda x: (isinstance(x, type), isinstance(x, object), callable(x))")(Here)': (
        "stock says that a class that it does not know is no type"
    ),
    'c.eval("lambda x: isinstance(5, x)")(Here)': "stock fails with a class that it does not know",
}

#: More answers that differ for clients of rpyc 6.0.
DIFFERENT_SINCE_6 = {
    'c.eval("lambda x: (x.n, x.__class__.__name__, type(x).__name__, repr(x), str(x))")(HERE)': (
        "stock takes what it does not know, of a module that it does, for a module"
    ),
}


def answers(client: Stock, server: Stock | None) -> dict[str, Any]:
    """Starts a server and returns its answers to a client."""
    debuggee = start_stuck(server)
    try:
        done = subprocess.run(
            [python(), str(Path(__file__).with_name("comparison.py")), str(debuggee.port)],
            env=client.environment(),
            capture_output=True,
            text=True,
            timeout=6 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if server is None:
            debuggee.end_well()
        return json.loads(done.stdout)
    finally:
        debuggee.kill()


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Returns a line for each difference between the answers."""
    if ours == theirs:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            line
            for name in ours.keys() | theirs.keys()
            for line in differences(ours.get(name), theirs.get(name), f"{path} / {name}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            line
            for i, (our, their) in enumerate(zip(ours, theirs))
            for line in differences(our, their, f"{path}[{i}]")
        ]
    return [f"{path}: ours {ours!r}, stock's {theirs!r}"]


@pytest.mark.skipif(
    SANITIZED, reason="takes long, and the cases of test_stock_clients.py do it too"
)
@pytest.mark.parametrize("generation", [RPYC4, RPYC5, RPYC6], ids=str)
@pytest.mark.rotates(4)
def test_our_server_says_what_stock_says(generation: Stock) -> None:
    ours, theirs = answers(generation, None), answers(generation, generation)
    assert ours.keys() == theirs.keys()
    expected = DIFFERENT | (DIFFERENT_SINCE_6 if generation == RPYC6 else DIFFERENT_BEFORE_6)
    found = {name: differences(ours[name], theirs[name]) for name in ours}
    wrong = {name: lines for name, lines in found.items() if lines and name not in expected}
    assert not wrong, json.dumps(wrong, indent=4)
    assert [name for name in expected if not found[name]] == []
