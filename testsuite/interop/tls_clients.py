# SPDX-License-Identifier: BSD-3-Clause
"""Clients that connect over TLS: stock ones, in processes of their own, and raw ones."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
from typing import Any

import pytest
from certificates import Files
from harness import PATIENCE, python, stock_environment
from rawpeer import Envelope, Handler, RawPeer

needs_tls = pytest.mark.skipif(
    not os.environ.get("LIBRPYC_SSL_PATH"), reason="built without OpenSSL: no librpyc-ssl"
)


def client_files(files: Files) -> dict[str, str]:
    """Returns arguments of ssl_connect for a client with a certificate."""
    return {"keyfile": files.client_key, "certfile": files.client_cert}


VISIT = """
import json, sys
import rpyc
c = rpyc.classic.ssl_connect("127.0.0.1", int(sys.argv[1]), **json.loads(sys.argv[2]))
data = bytes(range(256)) * 20000
assert c.eval("lambda data: data")(data) == data
assert c.eval("lambda f: f(20) + 1")(lambda n: n * 2) == 41
try:
    c.eval("1 / 0")
except ZeroDivisionError:
    pass
credentials = c.root.getconn()._config["credentials"]
print(json.dumps(rpyc.classic.obtain(credentials)))
c.close()
"""


def visit(setting: str, port: int | None, **files: str) -> Any:
    """Returns the credentials that the server has for a stock client."""
    done = subprocess.run(
        [python(), "-c", VISIT, str(port), json.dumps(files)],
        env=stock_environment(setting),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def try_tls(port: int | None, version: str = "TLSv1_3", **files: str) -> str:
    """Requests the root with at most this version of TLS. Returns "served", or how the connection
    ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = getattr(ssl.TLSVersion, version)
    if files:
        context.load_cert_chain(files["certfile"], files["keyfile"])
    try:
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
        with plain, context.wrap_socket(plain) as sock:
            assert RawPeer(sock, Envelope.RPYC6).request(Handler.GETROOT) is not None
        return "served"
    except (OSError, EOFError, AssertionError) as error:
        return type(error).__name__
