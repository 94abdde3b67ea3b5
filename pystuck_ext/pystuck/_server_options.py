"""The table of run_server's options.

OPTIONS has one row for each option: its name, the kind of its values, its default, its name on the
command line of `python -m pystuck`, its variable in the environment, and its help. The following
are made from the table: the checks and defaults of run_server, the list of options in its
docstring, the command line and its help, the variables, and the settings that the native server
reads.

To add an option, add a row here and read the setting in pystuck_ext/native_settings.c.
"""

from __future__ import annotations

from . import _values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_BYTES_MOST = 2**40

_DOC_WIDTH = 100


class Option:
    """One row of the table.

    name: the argument of run_server. kind: the values that the option takes. default: the value if
    the option is not given. same_as: another option, whose value is used in place of a default.
    help: what the option does, a verb phrase. command: the option of `python -m pystuck`, or None.
    variable: whether PYSTUCK_NAME in the environment sets the option. needs: the options that must
    be given together with this option. native: whether the native server reads the option.
    """

    def __init__(
        self,
        name: str,
        kind: _values.Kind,
        default: Any,
        help: str,
        *,
        same_as: str | None = None,
        command: str | None = None,
        variable: bool = False,
        needs: tuple[str, ...] = (),
        native: bool = True,
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.help = help
        self.same_as = same_as
        self.command = command
        self.variable = f"PYSTUCK_{name.upper()}" if variable else None
        self.needs = needs
        self.native = native

    def check(self, value: Any) -> Any:
        """Check a value and return it in the form that the server uses.

        Raises TypeError, ValueError or OverflowError, which names the option.
        """
        if value is None and (self.default is None or self.kind.none_is_default):
            return self.default
        return self.kind.check(self.name, value)

    def shown_default(self) -> str | None:
        """Return the default as text; None if the option has no default."""
        if self.same_as:
            return f"the value of {self.same_as}"
        return None if self.default is None else repr(self.default)


def _tls(
    name: str, kind: _values.Kind, help: str, command: str, needs: tuple[str, ...] = ("certfile",)
) -> Option:
    return Option(name, kind, None, help, command=command, variable=True, needs=needs)


OPTIONS = (
    # ---- Where the server listens ------------------------------------------------------------
    Option(
        "host",
        _values.Text("a str", "ADDRESS"),
        "127.0.0.1",
        "listen on this loopback address or host name; other addresses need ca_certs or insecure",
        command="--host",
    ),
    Option(
        "port",
        _values.Port(),
        6666,
        "listen on this TCP port; with 0 the kernel chooses a free one",
        command="--port",
    ),
    Option(
        "unix_socket",
        _values.Path("a path (str, bytes or os.PathLike)"),
        None,
        "listen on a Unix socket with this path and not on TCP; '@name' is an abstract socket, and "
        "'{pid}' stands for the process id",
        command="--unix-socket",
    ),
    Option(
        "backlog",
        _values.Integer(0, 2**31 - 1),
        128,
        "let this many connections wait until they are accepted",
    ),
    Option(
        "reuse_addr",
        _values.Flag(),
        True,
        "listen although connections of an earlier server on this port have not timed out",
    ),
    Option(
        "ipv6",
        _values.Flag(),
        False,
        "look the host up as an IPv6 address or name; '::' listens on IPv6 only",
    ),
    Option(
        "follow_fork",
        _values.Flag(),
        False,
        "start a server in each child that this process forks: at the path with the child's "
        "'{pid}', or at the next free TCP port; without this option, a child has no server, but "
        "may start one",
        command="--follow-fork",
        variable=True,
        native=False,
    ),
    Option(
        "on_error",
        _values.Choice("raise", "warn"),
        "raise",
        "raise an exception if the server cannot be started, as when its port is in use; or only "
        "log a warning, with `logger` or else with the logger 'pystuck', and return None",
        native=False,
    ),
    # ---- What clients get --------------------------------------------------------------------
    Option(
        "service_class_getter",
        _values.Object("a callable without arguments", callable),
        None,
        "call this once, and serve the rpyc.Service object or class that the call returns; None: "
        "serve the classic service",
        native=False,
    ),
    Option(
        "protocol_config",
        _values.Object("a dict", lambda value: hasattr(value, "keys")),
        None,
        "change these entries of rpyc.core.protocol.DEFAULT_CONFIG for each connection",
        native=False,
    ),
    Option(
        "logger",
        _values.Object(
            "an object with a log() method, such as logging.getLogger('pystuck')",
            lambda value: callable(getattr(value, "log", None)),
        ),
        None,
        "log errors, and clients that connect, leave or are refused; the value is an object with a "
        "method log(), such as a logging.Logger",
        native=False,
    ),
    # ---- Who may connect ---------------------------------------------------------------------
    Option(
        "authenticator",
        _values.Object("a callable", lambda value: not value or callable(value)),
        None,
        "call this with each client's socket; it returns the socket and credentials, or raises to "
        "refuse the client. With rpyc's SSLAuthenticator the server speaks TLS; if the "
        "SSLAuthenticator has ca_certs, clients need a certificate of that CA, and the user does "
        "not matter",
        native=False,
    ),
    Option(
        "allow_users",
        _values.List("a list of names and ids of users", _values.Id("user")),
        None,
        "admit these users besides root and the program's own user",
        command="--allow-user",
        variable=True,
    ),
    Option(
        "unix_mode",
        _values.Mode(),
        None,
        "give the Unix socket's file this mode; the default is 0600; with unix_group it is 0660, "
        "and with allow_users 0666, since the kernel tells the server which user connects",
        command="--unix-mode",
        variable=True,
        needs=("unix_socket",),
    ),
    Option(
        "unix_group",
        _values.Id("group"),
        None,
        "give the Unix socket's file to this group and admit its members",
        command="--unix-group",
        variable=True,
        needs=("unix_socket",),
    ),
    Option(
        "insecure",
        _values.Flag(strict=True),
        False,
        "admit everyone over TCP, on any address, to run any code in this process; only for a "
        "network where all users are trusted",
        command="--insecure",
        variable=True,
    ),
    _tls(
        "certfile",
        _values.File(),
        "speak only TLS, with the certificate in this PEM file",
        "--certfile",
        needs=(),
    ),
    _tls(
        "keyfile",
        _values.File(),
        "use the key in this PEM file; without this option, the key must be in certfile",
        "--keyfile",
    ),
    _tls(
        "ca_certs",
        _values.File(),
        "require a client certificate that the CA in this PEM file has signed; every user with "
        "such a certificate is admitted, and the server may listen on any address",
        "--ca-certs",
    ),
    _tls(
        "crl",
        _values.File(),
        "refuse the certificates that are revoked in this PEM file, which has one list for each CA "
        "of the chain",
        "--crl",
        needs=("certfile", "ca_certs"),
    ),
    _tls(
        "allow_subjects",
        _values.Subjects(),
        "accept only certificates with these names: common names ('alice') or whole subjects "
        "('CN=alice,O=Example')",
        "--allow-subject",
        needs=("certfile", "ca_certs"),
    ),
    _tls(
        "ciphers",
        _values.Text("a str in the form of OpenSSL's ciphers(1)", "LIST"),
        "use these ciphers for TLS 1.2, in the form of OpenSSL's ciphers(1)",
        "--ciphers",
    ),
    # ---- Limits ------------------------------------------------------------------------------
    Option(
        "max_clients",
        _values.Integer(1, 100_000),
        128,
        "serve at most this many clients at a time; refuse more",
    ),
    Option(
        "max_frame",
        _values.Integer(1024, 2**32 - 1),
        256 * 1024 * 1024,
        "answer messages of more than this many bytes with an exception",
    ),
    Option(
        "max_decompressed",
        _values.Integer(1024, _BYTES_MOST),
        None,
        "answer messages of more than this many bytes after decompression with an exception",
        same_as="max_frame",
    ),
    Option(
        "max_depth",
        _values.Integer(16, 200),
        200,
        "answer messages with more than this many levels of nested tuples with an exception",
    ),
    Option(
        "max_items",
        _values.Integer(100, _BYTES_MOST),
        16 * 1024 * 1024,
        "answer messages with more than this many values, tuples included, with an exception",
    ),
    Option(
        "max_objects",
        _values.Integer(1, 2**62),
        1_000_000,
        "let one client hold at most this many objects; a request for more of them fails",
    ),
    Option(
        "handshake_timeout",
        _values.Seconds(),
        10.0,
        "hang up on a client that does not finish the TLS handshake and its first request in this "
        "time",
    ),
    Option(
        "send_timeout",
        _values.Seconds(),
        120.0,
        "hang up on a client that for this long does not read its answers, or does not continue a "
        "message that it has begun to send",
    ),
    # ---- Accepted for other programs ---------------------------------------------------------
    Option(
        "patch_greenlet",
        _values.Kind("anything"),
        True,
        "no effect: for programs written for the original pystuck",
        native=False,
    ),
    Option(
        "listener_timeout",
        _values.Kind("anything"),
        None,
        "no effect: for programs that pass this argument of rpyc's Server",
        native=False,
    ),
    Option(
        "auto_register",
        _values.Unsupported(),
        None,
        "no effect: for programs that pass this argument of rpyc's Server",
        native=False,
    ),
    Option(
        "registrar",
        _values.Unsupported(),
        None,
        "no effect: for programs that pass this argument of rpyc's Server",
        native=False,
    ),
)

_BY_NAME = {option.name: option for option in OPTIONS}

#: Why some options need another option, keyed by the needed option; for error messages.
_WHY_NEEDED = {
    "certfile": "without a certificate, there is no TLS",
    "ca_certs": "without ca_certs, clients show no certificate",
    "unix_socket": "without unix_socket, there is no socket file",
}

#: COMMANDS: the options that `python -m pystuck` has. VARIABLES: the options that the environment
#: can set, keyed by the name of the variable.
COMMANDS = tuple(option for option in OPTIONS if option.command)
VARIABLES = {option.variable: option for option in OPTIONS if option.variable}


def default(name: str) -> Any:
    """Return the default of an option."""
    return _BY_NAME[name].default


def check(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all options for these arguments of run_server.

    Raises TypeError for an argument that is not in the table, ValueError if an option is missing
    that another option needs, and the errors of Option.check().
    """
    for name in arguments:
        if name not in _BY_NAME:
            raise TypeError(f"run_server() got an unexpected keyword argument {name!r}")
    values = {
        option.name: option.check(arguments.get(option.name, option.default)) for option in OPTIONS
    }
    for option in OPTIONS:
        if option.same_as and values[option.name] is None:
            values[option.name] = values[option.same_as]
        for needed in option.needs:
            if values[option.name] is not None and values[needed] is None:
                raise ValueError(f"{option.name} needs {needed}: {_WHY_NEEDED[needed]}")
    return values


def check_files(settings: dict[str, Any]) -> None:
    """Check that the files in settings can be read. Raises OSError, which names the file."""
    for option in OPTIONS:
        if isinstance(option.kind, _values.File) and settings[option.name] is not None:
            with open(settings[option.name], "rb"):
                pass


def native(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that the native server reads."""
    return {option.name: values[option.name] for option in OPTIONS if option.native}


def _wrapped(words: Iterable[str], first: str, rest: str) -> str:
    lines, line, empty = [], first, True
    for word in words:
        if not empty and len(line) + 1 + len(word) > _DOC_WIDTH:
            lines.append(line)
            line, empty = rest, True
        line += word if empty else f" {word}"
        empty = False
    return "\n".join([*lines, line])


def documentation(margin: str) -> str:
    """Return the list of all options, for a docstring whose lines begin with margin."""
    paragraphs = []
    for option in OPTIONS:
        shown = option.shown_default()
        facts = option.kind.expected + (f"; default: {shown}" if shown else "")
        text = f"{option.name}: {option.help} ({facts})."
        paragraphs.append(_wrapped(text.split(), margin, f"{margin}    "))
    return "\n".join(paragraphs)
