# SPDX-License-Identifier: BSD-3-Clause
"""A plugin for pytest: replaces rpyc's ThreadedServer and ThreadPoolServer by pystuck's server.

rpyc's own tests then test pystuck. See rpyc_suite.py.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import pystuck
import rpyc.utils.server


class Config(dict):
    """A configuration that tests change while the server runs."""

    def __init__(self, server: PystuckServer, *values: Any) -> None:
        super().__init__(*values)
        self._server = server

    def update(self, *values: Any, **more: Any) -> None:
        super().update(*values, **more)
        self._server.restart()


class PystuckServer:
    """The parts of rpyc.utils.server.Server that rpyc's tests use, on top of pystuck.run_server."""

    def __init__(
        self,
        service: Any,
        hostname: str | None = None,
        ipv6: bool = False,
        port: int = 0,
        socket_path: str | None = None,
        logger: Any = None,
        protocol_config: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        options.pop("nbThreads", None)
        options.pop("requestBatchSize", None)
        self.host = hostname or ("::1" if ipv6 else "127.0.0.1")
        self.port, self.active, self.service = port, True, service
        self.logger = logger or logging.getLogger("pystuck")
        self.clients: set[Any] = set()
        self.protocol_config = Config(self, protocol_config or {})
        self._options = options | {"unix_socket": socket_path, "ipv6": ipv6}
        self._closed = threading.Event()
        self._server = self._run()
        self.port = self._server.port

    def _run(self) -> Any:
        return pystuck.run_server(
            self.host,
            self.port,
            service_class_getter=lambda: self.service,
            protocol_config=dict(self.protocol_config),
            **self._options,
        )

    def restart(self) -> None:
        """Restarts the server with another configuration, at the same address."""
        self._server.close()
        self._server = self._run()

    def _listen(self) -> None:
        pass

    def start(self) -> None:
        """Serves until the server is closed."""
        self._closed.wait()

    def _start_in_thread(self) -> threading.Thread:
        thread = threading.Thread(target=self.start, daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Closes the server and disconnects its clients."""
        self.active = False
        self._server.close()
        self._closed.set()


for _name in ("ThreadedServer", "ThreadPoolServer"):
    setattr(rpyc.utils.server, _name, PystuckServer)
rpyc.ThreadedServer = rpyc.ThreadPoolServer = PystuckServer
