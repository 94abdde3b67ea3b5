"""The configuration of a connection, and the attributes that a client may use, as in rpyc.

pystuck_ext/connection_config.c reads the same configuration.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    "include_local_version": False,  # rpyc has True; then clients of other versions warn
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

#: The values with which the classic service replaces values in DEFAULT_CONFIG, as in rpyc.
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


def attribute_for_client(config: dict[str, Any], obj: Any, name: str, use: str) -> str:
    """Return the name of the attribute that the client may use when it asks for `name`.

    The result is `name`, or `name` with the prefix for exposed attributes. use: "allow_getattr",
    "allow_setattr" or "allow_delattr". Raises AttributeError if the client may not use the
    attribute.
    """
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


def _has_static(obj: Any, name: str) -> bool:
    """True if obj has an attribute of this name. Does not run code of obj."""
    import inspect  # importing it takes 5 ms, and the classic service does not need it

    try:
        inspect.getattr_static(obj, name)
    except AttributeError:
        return False
    return True
