"""Who may come in, as run_server's arguments say it: users, groups, certificates, everyone."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._authenticators import Tls

#: Arguments of run_server that say something about TLS.
TLS_ARGUMENTS = ("certfile", "keyfile", "ca_certs", "ciphers", "crl", "allow_subjects")

#: ... and about users.
USER_ARGUMENTS = ("allow_users", "unix_mode", "unix_group", "insecure")

_CERTIFICATE_UNASKED, _CERTIFICATE_REQUIRED = 0, 2


def _user_id(user: str | int) -> int:
    """The number of a user. Raises ValueError for one that is not known."""
    if isinstance(user, str):
        import pwd

        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            raise ValueError(f"allow_users: there is no user {user!r}") from None
    return _number("allow_users", user)


def _group_id(group: str | int) -> int:
    if isinstance(group, str):
        import grp

        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            raise ValueError(f"unix_group: there is no group {group!r}") from None
    return _number("unix_group", group)


def _number(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} takes names and ids, not {value!r}")
    if not 0 <= value < 2**32 - 1:
        raise ValueError(f"{name}: {value} is no id")
    return value


def _mode(mode: Any) -> int:
    if not isinstance(mode, int) or isinstance(mode, bool):
        raise TypeError(f"unix_mode takes an int, such as 0o660, not {mode!r}")
    if not 0o600 <= mode <= 0o777 or mode & 0o600 != 0o600:
        raise ValueError(f"unix_mode: {mode:#o} does not let the owner connect, or is no mode")
    return mode


def native_users(given: dict[str, Any], unix_socket: Any) -> dict[str, Any]:
    """What the native server takes for the USER_ARGUMENTS, which are taken out of `given`.

    Raises ValueError and TypeError, which name the argument.
    """
    users, mode, group, insecure = (given.pop(name, None) for name in USER_ARGUMENTS)
    if unix_socket is None and (mode is not None or group is not None):
        name = "unix_mode" if mode is not None else "unix_group"
        raise ValueError(f"{name} is for a unix_socket")
    if isinstance(users, (str, int)):
        raise TypeError("allow_users takes a list of names and ids")
    options: dict[str, Any] = {}
    if users:
        options["allow_users"] = tuple(_user_id(user) for user in users)
    if group is not None:
        options["unix_group"] = _group_id(group)
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

    Raises ValueError where they do not fit, and OSError for a file that cannot be read.
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
    for name in "certfile", "keyfile", "ca_certs", "crl":
        if values[name] is not None:
            with open(values[name], "rb"):  # the error that Python gives, if there is one
                pass
    return (
        values["certfile"],
        values["keyfile"],
        values["ca_certs"],
        values["ciphers"],
        _CERTIFICATE_UNASKED if values["ca_certs"] is None else _CERTIFICATE_REQUIRED,
        False,
        values["crl"],
        _subjects(values["allow_subjects"]),
    )


def _subjects(subjects: Any) -> tuple[str, ...] | None:
    if subjects is None:
        return None
    if isinstance(subjects, str) or not all(isinstance(each, str) for each in subjects):
        raise TypeError("allow_subjects takes a list of names")
    return tuple(subjects)
