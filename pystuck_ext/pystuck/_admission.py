"""Who may come in, as run_server's arguments say it: users, groups, certificates, everyone."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._authenticators import Tls

#: Arguments of run_server that say something about TLS.
TLS_ARGUMENTS = ("certfile", "keyfile", "ca_certs", "ciphers", "crl", "allow_subjects")

#: ... and about users.
USER_ARGUMENTS = ("allow_users", "unix_mode", "unix_group", "insecure")

_FILES = ("certfile", "keyfile", "ca_certs", "crl")

_CERTIFICATE_UNASKED, _CERTIFICATE_REQUIRED = 0, 2

#: What the kernel says of users, or groups, that have no number in this namespace.
_OVERFLOW_ID = 65534


def _user_number(name: str) -> int:
    import pwd

    return pwd.getpwnam(name).pw_uid


def _group_number(name: str) -> int:
    import grp

    return grp.getgrnam(name).gr_gid


def _overflow_id(kind: str) -> int:
    try:
        with open(f"/proc/sys/kernel/overflow{kind[0]}id") as file:
            return int(file.read())
    except (OSError, ValueError):
        return _OVERFLOW_ID


def _id(argument: str, kind: str, value: Any, look_up: Callable[[str], int]) -> int:
    """The number of a user or a group. Raises ValueError for one that is not known, or that stands
    for all that are not."""
    if isinstance(value, str):
        try:
            number = look_up(value)
        except KeyError:
            raise ValueError(f"{argument}: there is no {kind} {value!r}") from None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise TypeError(f"{argument} takes names and ids, not {value!r}")
    if not 0 <= number < 2**32 - 1:
        raise ValueError(f"{argument}: {number} is no id of a {kind}")
    if number == _overflow_id(kind):
        raise ValueError(f"{argument}: {value!r} stands for every {kind} without a number")
    return number


def _list(argument: str, what: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes, bytearray)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{argument} takes a list of {what}, not {values!r}")
    return list(values)


def _mode(mode: Any) -> int:
    if not isinstance(mode, int) or isinstance(mode, bool):
        raise TypeError(f"unix_mode takes an int, such as 0o660, not {mode!r}")
    if not 0 <= mode <= 0o777:
        raise ValueError(f"unix_mode: {mode:#o} is no mode of a file, such as 0o660")
    if mode & 0o600 != 0o600:
        raise ValueError(f"unix_mode: {mode:#o} keeps the owner out, who has to read and write")
    return mode


def _check_place(unix_socket: Any, mode: Any, group: Any, insecure: bool) -> None:
    """Raises ValueError for what does not go with where the server listens."""
    if unix_socket is None:
        if mode is not None or group is not None:
            name = "unix_group" if mode is None else "unix_mode"
            raise ValueError(f"{name} is for a unix_socket")
        return
    if insecure:
        raise ValueError(
            "insecure is for TCP: a unix_socket lets in whom allow_users and unix_group say"
        )
    if mode is not None and os.fsdecode(unix_socket).startswith("@"):
        raise ValueError(
            "unix_mode is for a unix_socket that is a file: an abstract one has no mode"
        )


def native_users(given: dict[str, Any], unix_socket: Any) -> dict[str, Any]:
    """What the native server takes for the USER_ARGUMENTS, which are taken out of `given`.

    Raises ValueError and TypeError, which name the argument.
    """
    users, mode, group, insecure = (given.pop(name, None) for name in USER_ARGUMENTS)
    if insecure is not None and not isinstance(insecure, bool):
        raise TypeError(f"insecure is True or False, not {insecure!r}")
    _check_place(unix_socket, mode, group, bool(insecure))
    options: dict[str, Any] = {}
    if users is not None:
        if insecure:
            raise ValueError("allow_users goes without insecure, which lets everyone in")
        options["allow_users"] = tuple(
            _id("allow_users", "user", user, _user_number)
            for user in _list("allow_users", "names and ids", users)
        )
    if group is not None:
        options["unix_group"] = _id("unix_group", "group", group, _group_number)
    if mode is not None:
        options["unix_mode"] = _mode(mode)
    elif users and unix_socket is not None:  # the kernel says who connects: that is what counts
        options["unix_mode"] = 0o666
    elif group is not None:
        options["unix_mode"] = 0o660
    if insecure:
        options["insecure"] = True
    return options


def native_tls(given: dict[str, Any]) -> Tls | None:
    """What the native server takes for the TLS_ARGUMENTS, which are taken out of `given`.

    Raises ValueError where they do not fit, TypeError for what is no path or no text, and OSError
    for a file that cannot be read.
    """
    values = {name: given.pop(name, None) for name in TLS_ARGUMENTS}
    for name, value in values.items():
        if value is not None and values["certfile"] is None:
            raise ValueError(f"{name} needs certfile: without a certificate there is no TLS")
    if values["certfile"] is None:
        return None
    for name in "crl", "allow_subjects":
        if values[name] is not None and values["ca_certs"] is None:
            raise ValueError(f"{name} needs ca_certs: clients show no certificate without it")
    ciphers = values["ciphers"]
    if ciphers is not None and not isinstance(ciphers, str):
        raise TypeError(f"ciphers takes a text, as OpenSSL has them, not {ciphers!r}")
    certfile, keyfile, ca_certs, crl = (readable(name, values[name]) for name in _FILES)
    return (
        certfile,
        keyfile,
        ca_certs,
        ciphers,
        _CERTIFICATE_UNASKED if ca_certs is None else _CERTIFICATE_REQUIRED,
        False,
        crl,
        _subjects(values["allow_subjects"]),
    )


def readable(argument: str, path: Any) -> Any:
    """The absolute path of a file that can be read, or None for None.

    The file is read again when it has changed; the program may be somewhere else by then.
    """
    if path is None:
        return None
    if not isinstance(path, (str, bytes, os.PathLike)):  # a number would be somebody's descriptor
        raise TypeError(f"{argument} takes the path of a file, not {path!r}")
    with open(path, "rb"):  # the error that Python gives, if there is one
        pass
    return os.path.abspath(path)


def _subjects(subjects: Any) -> tuple[str, ...] | None:
    if subjects is None:
        return None
    names = _list("allow_subjects", "names", subjects)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"allow_subjects takes names, not {name!r}")
        if not name or "\0" in name:
            raise ValueError(f"allow_subjects: {name!r} is no name")
    return tuple(names)


def check_both(options: dict[str, Any], unix_socket: Any) -> None:
    """Raises ValueError where a certificate takes the place of the users that are let in."""
    tls = options.get("tls")
    certified = tls is not None and tls[4] == _CERTIFICATE_REQUIRED
    if certified and unix_socket is None and "allow_users" in options:
        raise ValueError(
            "allow_users goes without client certificates over TCP, which take its place: whose "
            "are good is what allow_subjects says"
        )


# ---- As text: on the command line, and in the environment ----------------------------------------


def from_texts(texts: dict[str, str | list[str]]) -> dict[str, Any]:
    """The arguments of run_server that texts mean: a list for those that are lists, "1" for
    insecure. Raises ValueError, which names the argument."""
    arguments: dict[str, Any] = dict(texts)
    if "allow_users" in arguments:
        arguments["allow_users"] = [_name_or_id(user) for user in arguments["allow_users"]]
    if "unix_group" in arguments:
        arguments["unix_group"] = _name_or_id(arguments["unix_group"])
    if "unix_mode" in arguments:
        arguments["unix_mode"] = _octal(arguments["unix_mode"])
    if "insecure" in arguments:
        arguments["insecure"] = True
    return arguments


def split(argument: str, text: str) -> list[str]:
    """The items of a list in one text, between commas; or between semicolons, where there is one or
    an item is a whole subject, which has commas of its own. Raises ValueError for an empty item."""
    semicolons = argument == "allow_subjects" and (";" in text or "=" in text)
    items = [item.strip() for item in re.split(r"(?<!\\);" if semicolons else ",", text)]
    if "" in items:
        raise ValueError(f"{argument}: an item of {text!r} is empty")
    return items


def _name_or_id(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() else text


def _octal(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise ValueError(f"unix_mode: {text!r} is no mode in octal, such as 0660") from None
