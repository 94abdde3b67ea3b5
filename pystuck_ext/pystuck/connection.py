"""The connection to one client, for Python code in this process.

A stock client gets it from `conn.root.getconn()`, and an `rpyc.Service` as the argument of
on_connect and on_disconnect. It has the public attributes of `rpyc.core.protocol.Connection` and
uses the native `_pystuck.Session`.
"""

from __future__ import annotations

import _socket
import itertools
import os
import time

import _pystuck

from ._attribute_policy import CLASSIC_CONFIG, DEFAULT_CONFIG, attribute_for_client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

# The numbers of two handlers, as in rpyc.core.consts.
HANDLE_PING = 1
HANDLE_GETROOT = 3

_connection_ids = itertools.count(1)


class PingError(Exception):
    """The reply to a ping does not have the data of the ping."""


class AsyncResult:
    """The result of a request, which may still have to come; see rpyc.core.async_.AsyncResult."""

    def __init__(
        self, link: _pystuck.Session, request: _pystuck.Request, timeout: float | None
    ) -> None:
        self._link = link
        self._request = request
        self._callbacks: list[Callable[[AsyncResult], object]] = []
        self._notified = False
        self.set_expiry(timeout)

    def set_expiry(self, timeout: float | None) -> None:
        """Let the result expire after timeout seconds; None: never."""
        self._expires = None if timeout is None else time.monotonic() + timeout

    def _left(self) -> float | None:
        return None if self._expires is None else max(0.0, self._expires - time.monotonic())

    def wait(self) -> None:
        """Wait for the result. Raises TimeoutError if it expires first."""
        self._request.wait(self._left())

    def add_callback(self, callback: Callable[[AsyncResult], object]) -> None:
        """Call callback(self) when the result has come, on the thread that receives it."""
        self._callbacks.append(callback)
        if not self._notified:
            self._notified = True
            self._request.notify(self._run_callbacks)
        elif self._request.is_done():
            self._run_callbacks()

    def _run_callbacks(self) -> None:
        self._request.wait(0)
        while self._callbacks:
            self._callbacks.pop(0)(self)

    @property
    def ready(self) -> bool:
        """True if the result has come.

        If it has not, first serves the messages of the client that have arrived.
        """
        if not self._request.is_done() and not self.expired:
            _serve_all(self._link, 0)
        return self._request.is_done()

    @property
    def expired(self) -> bool:
        """True if the time is over and the result has not come."""
        return not self._request.is_done() and self._left() == 0

    @property
    def error(self) -> bool:
        """True if the result has come and is an exception."""
        if not self.ready:
            return False
        self.wait()
        return self._request.error is not None

    @property
    def value(self) -> Any:
        """Wait for the result and return it, or raise the exception that the client raised."""
        self.wait()
        return self._request.value


def _serve_all(link: _pystuck.Session, timeout: float) -> bool:
    """Serve all messages that come within timeout seconds. Returns True if there was one."""
    end = time.monotonic() + timeout
    served = False
    try:
        while link.serve(max(0.0, end - time.monotonic())):
            served = True
    except EOFError:
        pass
    return served


class Channel:
    """The attributes of rpyc.core.channel.Channel. Native code sends and receives the messages."""

    def __init__(self, link: _pystuck.Session) -> None:
        self._link = link
        #: An attribute that rpyc has; it has no effect here.
        self.compress = True

    @property
    def closed(self) -> bool:
        """True if the connection has ended."""
        return self._link.closed

    def fileno(self) -> int:
        """The descriptor of the socket; -1 after the connection has ended."""
        return self._link.fileno()

    def close(self) -> None:
        """Send the request CLOSE and close the connection."""
        self._link.close()


class Modules:
    """The client's modules, by name or as attributes; see rpyc's ModuleNamespace."""

    def __init__(self, getmodule: Callable[[str], Any]) -> None:
        self._getmodule = getmodule
        self._cache: dict[object, Any] = {}

    def __contains__(self, name: object) -> bool:
        try:
            self[name]
        except ImportError:
            return False
        return True

    def __getitem__(self, name: object) -> Any:
        if type(name) is tuple:
            name = ".".join(name)
        if name not in self._cache:
            self._cache[name] = self._getmodule(name)
        return self._cache[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except ImportError:
            raise AttributeError(name) from None


class Connection:
    """The connection to one client: the public part of rpyc.core.protocol.Connection.

    link: the native session. root: the service that the client gets; None: the classic service.
    config: entries that replace those of DEFAULT_CONFIG and, with the classic service, those of
    CLASSIC_CONFIG.
    """

    def __init__(
        self, link: _pystuck.Session, root: Any = None, config: dict[str, Any] | None = None
    ) -> None:
        self._link = link
        self._local_root = root
        self._config = DEFAULT_CONFIG | (CLASSIC_CONFIG if root is None else {}) | (config or {})
        if self._config["connid"] is None:
            self._config["connid"] = f"conn{next(_connection_ids)}"
        self._config["safe_attrs"] = set(self._config["safe_attrs"])
        if self._config["endpoints"] is None:
            self._config["endpoints"] = _endpoints(link)
        self._channel = Channel(link)
        self._remote_root: Any = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        first, rest = object.__repr__(self).split(" object ")
        return f"{first} {self._config['connid']!r} object {rest}"

    # ---- Called by the native server -----------------------------------------------------------

    def _connected(self) -> None:
        """Tell the service that the client has connected. An exception refuses the client."""
        if self._local_root is not None:
            self._local_root.on_connect(self)

    def _disconnected(self) -> None:
        """Tell the service that the connection has ended."""
        root, self._local_root, self._remote_root = self._local_root, None, None
        if root is not None:
            root.on_disconnect(self)

    def _check_attr(self, obj: Any, name: str, use: str) -> str:
        """Return the name of the attribute that the client may use when it asks for `name`."""
        return attribute_for_client(self._config, obj, name, use)

    # ---- The connection ------------------------------------------------------------------------

    def close(self) -> None:
        """Call `before_closed` of the configuration, send CLOSE, and close the connection."""
        if self.closed:
            return
        if self._config.get("before_closed"):
            self._config["before_closed"](self.root)
        self._link.close()

    @property
    def closed(self) -> bool:
        """True if the connection has ended."""
        return self._link.closed

    @property
    def _closed(self) -> bool:
        return self._link.closed

    def fileno(self) -> int:
        """The descriptor of the socket. Raises EOFError after the connection has ended."""
        number = self._link.fileno()
        if number < 0:
            raise EOFError("connection closed by peer")
        return number

    # ---- Serving -------------------------------------------------------------------------------

    def serve(self, timeout: float | None = 1, wait_for_lock: bool = True) -> bool:
        """Serve one message of the client. Returns True if one came within timeout seconds."""
        return self._link.serve(timeout)

    def poll(self, timeout: float = 0) -> bool:
        """Serve one message of the client. Returns True if one came within timeout seconds."""
        return self._link.serve(timeout)

    def poll_all(self, timeout: float = 0) -> bool:
        """Serve all messages that come within timeout seconds. Returns True if there was one."""
        return _serve_all(self._link, timeout)

    def serve_all(self) -> None:
        """Serve the client until the connection ends."""
        try:
            while True:
                self._link.serve(None)
        except EOFError:
            pass
        finally:
            self.close()

    def serve_threaded(self, thread_count: int = 10) -> None:
        """Serve the client with several threads until the connection ends."""
        import threading

        threads = [threading.Thread(target=self.serve_all) for _ in range(thread_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # ---- Requests ------------------------------------------------------------------------------

    def ping(self, data: Any = None, timeout: float = 3) -> None:
        """Check that the client answers within timeout seconds.

        Raises TimeoutError if no reply came, and PingError if the reply has other data.
        """
        if data is None:
            data = "abcdefghijklmnopqrstuvwxyz" * 20
        if self.async_request(HANDLE_PING, data, timeout=timeout).value != data:
            raise PingError("echo mismatches sent data")

    def sync_request(self, handler: int, *args: Any) -> Any:
        """Send a request and wait up to sync_request_timeout seconds for its result."""
        return self._link.request(handler, args)

    def async_request(self, handler: int, *args: Any, timeout: float | None = None) -> AsyncResult:
        """Send a request and return its AsyncResult at once."""
        return AsyncResult(self._link, self._link.start(handler, args), timeout)

    @property
    def root(self) -> Any:
        """The root object of the client: its service."""
        if self._remote_root is None:
            self._remote_root = self.sync_request(HANDLE_GETROOT)
        return self._remote_root

    @property
    def _last_traceback(self) -> TracebackType | None:
        """The traceback of the last exception that was sent to the client, for rpyc.classic.pm."""
        return self._link.last_traceback

    # ---- The client's classic service, if it has one ---------------------------------------------

    def __getattr__(self, name: str) -> Any:
        """Return modules, builtins, eval, execute or namespace of a client's classic service.

        Python calls this only if the attribute is not set. A service's on_connect may set the
        attribute, as the on_connect of rpyc's MasterService does.
        """
        if name == "modules":
            return Modules(self.root.getmodule)
        if name in ("builtins", "builtin"):
            return self.root.getmodule("builtins")
        if name in ("eval", "execute", "namespace"):
            return getattr(self.root, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _endpoints(link: _pystuck.Session) -> tuple[Any, Any] | None:
    """Return the addresses of both ends, from getsockname() and getpeername(); None if unknown."""
    try:
        fd = os.dup(link.fileno())
    except OSError:  # the client has already hung up
        return None
    try:
        sock = _socket.socket(fileno=fd)
    except BaseException:
        os.close(fd)
        raise
    try:
        return sock.getsockname(), sock.getpeername()
    except OSError:
        return None
    finally:
        sock.close()


# Clients that inspect the class find the same module name as in rpyc.
Connection.__module__ = "rpyc.core.protocol"
