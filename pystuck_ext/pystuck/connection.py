"""The connection to one client, as Python code in this process may use it.

What `conn.root.getconn()` gives to a stock client, and what the methods of an `rpyc.Service` get:
the part of `rpyc.core.protocol.Connection` that its users touch, over the native `_pystuck.Session`.
"""

from __future__ import annotations

import _socket
import itertools
import os
import time

import _pystuck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

# Of rpyc.core.consts.
HANDLE_PING = 1
HANDLE_GETROOT = 3

#: rpyc.core.protocol.DEFAULT_CONFIG, as of rpyc 6.0.
DEFAULT_CONFIG: dict[str, Any] = {
    "allow_safe_attrs": True,
    "allow_exposed_attrs": True,
    "allow_public_attrs": False,
    "allow_all_attrs": False,
    "safe_attrs": frozenset(
        """
        __abs__ __add__ __and__ __bool__ __cmp__ __contains__ __delitem__ __delslice__ __div__
        __divmod__ __doc__ __eq__ __float__ __floordiv__ __ge__ __getitem__ __getslice__ __gt__
        __hash__ __hex__ __iadd__ __iand__ __idiv__ __ifloordiv__ __ilshift__ __imod__ __imul__
        __index__ __int__ __invert__ __ior__ __ipow__ __irshift__ __isub__ __iter__ __itruediv__
        __ixor__ __le__ __len__ __long__ __lshift__ __lt__ __mod__ __mul__ __ne__ __neg__ __new__
        __nonzero__ __oct__ __or__ __pos__ __pow__ __radd__ __rand__ __rdiv__ __rdivmod__ __repr__
        __rfloordiv__ __rlshift__ __rmod__ __rmul__ __ror__ __rpow__ __rrshift__ __rshift__ __rsub__
        __rtruediv__ __rxor__ __setitem__ __setslice__ __str__ __sub__ __truediv__ __xor__ next
        __length_hint__ __enter__ __exit__ __next__ __format__
        """.split()
    ),
    "exposed_prefix": "exposed_",
    "allow_getattr": True,
    "allow_setattr": False,
    "allow_delattr": False,
    "include_local_traceback": True,
    "include_local_version": False,  # stock's is True: clients of another rpyc warn about it
    "instantiate_custom_exceptions": False,
    "import_custom_exceptions": False,
    "instantiate_oldstyle_exceptions": False,
    "propagate_SystemExit_locally": False,
    "propagate_KeyboardInterrupt_locally": True,
    "log_exceptions": True,
    "allow_pickle": False,
    "connid": None,
    "credentials": None,
    "endpoints": None,
    "logger": None,
    "sync_request_timeout": 30,
    "before_closed": None,
    "close_catchall": False,
    "bind_threads": False,
}

#: What the classic service allows.
CLASSIC_CONFIG: dict[str, Any] = {
    "allow_all_attrs": True,
    "allow_pickle": True,
    "allow_getattr": True,
    "allow_setattr": True,
    "allow_delattr": True,
    "allow_exposed_attrs": False,
    "import_custom_exceptions": True,
    "instantiate_custom_exceptions": True,
    "instantiate_oldstyle_exceptions": True,
}

_connection_ids = itertools.count(1)


class PingError(Exception):
    """A ping came back with other data."""


class AsyncResult:
    """The result of a request that nobody waits for yet; see rpyc.core.async_.AsyncResult."""

    def __init__(
        self, link: _pystuck.Session, request: _pystuck.Request, timeout: float | None
    ) -> None:
        self._link = link
        self._request = request
        self._callbacks: list[Callable[[AsyncResult], object]] = []
        self._notified = False
        self.set_expiry(timeout)

    def set_expiry(self, timeout: float | None) -> None:
        """Let the result expire in so many seconds, or, with None, never."""
        self._expires = None if timeout is None else time.monotonic() + timeout

    def _left(self) -> float | None:
        return None if self._expires is None else max(0.0, self._expires - time.monotonic())

    def wait(self) -> None:
        """Wait for the result. Raises TimeoutError where it expires before."""
        self._request.wait(self._left())

    def add_callback(self, callback: Callable[[AsyncResult], object]) -> None:
        """Have callback(self) called when the result is there, by whichever thread sees it come."""
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
        """Whether the result is there. Sees to the client's messages that are."""
        if not self._request.is_done() and not self.expired:
            _serve_all(self._link, 0)
        return self._request.is_done()

    @property
    def expired(self) -> bool:
        """Whether the time is over and the result is not there."""
        return not self._request.is_done() and self._left() == 0

    @property
    def error(self) -> bool:
        """Whether the result is there, and is an exception."""
        if not self.ready:
            return False
        self.wait()
        return self._request.error is not None

    @property
    def value(self) -> Any:
        """The result, waited for. Raises what the other side raised."""
        self.wait()
        return self._request.value


def _serve_all(link: _pystuck.Session, timeout: float) -> bool:
    """See to all messages that come within timeout seconds; whether there was one."""
    end = time.monotonic() + timeout
    served = False
    try:
        while link.serve(max(0.0, end - time.monotonic())):
            served = True
    except EOFError:
        pass
    return served


class Channel:
    """What is left of rpyc.core.channel.Channel: the native code does the rest."""

    def __init__(self, link: _pystuck.Session) -> None:
        self._link = link
        #: Whether long messages may be compressed. A receiver takes either; here it says nothing.
        self.compress = True

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._link.closed

    def fileno(self) -> int:
        """The number of the socket; -1 once it is closed."""
        return self._link.fileno()

    def close(self) -> None:
        """Say goodbye and hang up."""
        self._link.close()


class Modules:
    """The modules of the other side, by name or as attributes: rpyc's ModuleNamespace."""

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
    """The connection to one client: see rpyc.core.protocol.Connection, whose part for users it is.

    link: the native side. root: the service that the client gets; None for the classic one.
    config: what is to differ from DEFAULT_CONFIG, or from what the classic service allows.
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

    # ---- For the native side -------------------------------------------------------------------

    def _connected(self) -> None:
        """The client has come: tell the service, which may raise if it does not want it."""
        if self._local_root is not None:
            self._local_root.on_connect(self)

    def _disconnected(self) -> None:
        """The client has gone: tell the service."""
        root, self._local_root, self._remote_root = self._local_root, None, None
        if root is not None:
            root.on_disconnect(self)

    def _check_attr(self, obj: Any, name: str, use: str) -> str:
        """The name under which the client may use an attribute of obj.

        use: "allow_getattr", "allow_setattr" or "allow_delattr". Raises AttributeError where it
        may not.
        """
        config = self._config
        if not config[use]:
            raise AttributeError(f"cannot access {name!r}")
        prefix = config["allow_exposed_attrs"] and config["exposed_prefix"]
        plain = (
            config["allow_all_attrs"]
            or (config["allow_exposed_attrs"] and name.startswith(prefix))
            or (config["allow_safe_attrs"] and name in config["safe_attrs"])
            or (config["allow_public_attrs"] and not name.startswith("_"))
        )
        exposed = prefix and (hasattr(obj, prefix + name) or _has_static(obj, prefix + name))
        if exposed and not (plain and hasattr(obj, name)):
            return prefix + name
        if plain:
            return name
        raise AttributeError(f"cannot access {name!r}")

    # ---- The connection ------------------------------------------------------------------------

    def close(self) -> None:
        """Say goodbye and hang up."""
        if self.closed:
            return
        if self._config.get("before_closed"):
            self._config["before_closed"](self.root)
        self._link.close()

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._link.closed

    @property
    def _closed(self) -> bool:
        return self._link.closed

    def fileno(self) -> int:
        """The number of the socket. Raises EOFError once the connection is closed."""
        number = self._link.fileno()
        if number < 0:
            raise EOFError("connection closed by peer")
        return number

    # ---- Serving -------------------------------------------------------------------------------

    def serve(self, timeout: float | None = 1, wait_for_lock: bool = True) -> bool:
        """See to one message of the client's; whether there was one within timeout seconds."""
        return self._link.serve(timeout)

    def poll(self, timeout: float = 0) -> bool:
        """See to one message of the client's, if there is one."""
        return self._link.serve(timeout)

    def poll_all(self, timeout: float = 0) -> bool:
        """See to all messages that come within timeout seconds; whether there was one."""
        return _serve_all(self._link, timeout)

    def serve_all(self) -> None:
        """Serve the client until it goes."""
        try:
            while True:
                self._link.serve(None)
        except EOFError:
            pass
        finally:
            self.close()

    def serve_threaded(self, thread_count: int = 10) -> None:
        """Serve the client with several threads until it goes."""
        import threading

        threads = [threading.Thread(target=self.serve_all) for _ in range(thread_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # ---- Requests ------------------------------------------------------------------------------

    def ping(self, data: Any = None, timeout: float = 3) -> None:
        """See whether the client answers within timeout seconds."""
        if data is None:
            data = "abcdefghijklmnopqrstuvwxyz" * 20
        if self.async_request(HANDLE_PING, data, timeout=timeout).value != data:
            raise PingError("echo mismatches sent data")

    def sync_request(self, handler: int, *args: Any) -> Any:
        """Send a request and wait for its result, as long as sync_request_timeout says."""
        return self._link.request(handler, args)

    def async_request(self, handler: int, *args: Any, timeout: float | None = None) -> AsyncResult:
        """Send a request; its result is for later."""
        return AsyncResult(self._link, self._link.start(handler, args), timeout)

    @property
    def root(self) -> Any:
        """The service of the client."""
        if self._remote_root is None:
            self._remote_root = self.sync_request(HANDLE_GETROOT)
        return self._remote_root

    @property
    def _last_traceback(self) -> TracebackType | None:
        """The traceback of the latest exception that went to the client, for rpyc.classic.pm."""
        return self._link.last_traceback

    # ---- The client's classic service, where it has one ------------------------------------------

    def __getattr__(self, name: str) -> Any:
        """modules, builtins, eval, execute, namespace: what a symmetric client lets us use.

        A service's on_connect may set them too, as rpyc's MasterService does.
        """
        if name == "modules":
            return Modules(self.root.getmodule)
        if name in ("builtins", "builtin"):
            return self.root.getmodule("builtins")
        if name in ("eval", "execute", "namespace"):
            return getattr(self.root, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _endpoints(link: _pystuck.Session) -> tuple[Any, Any] | None:
    """The addresses of both ends, as getsockname() and getpeername() have them."""
    try:
        fd = os.dup(link.fileno())
    except OSError:  # the client is gone already
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


# It is found under stock's name by a client that asks what it is.
Connection.__module__ = "rpyc.core.protocol"


def _has_static(obj: Any, name: str) -> bool:
    """Whether obj has an attribute of that name, without running its code."""
    import inspect  # 5 ms, which the classic service does not need

    try:
        inspect.getattr_static(obj, name)
    except AttributeError:
        return False
    return True
