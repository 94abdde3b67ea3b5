"""What the client runs in the debuggee to look at objects and frames: see client/cell.h.

As bootstrap.py: Python 3.6, the standard library, one name in the connection's namespace.
"""


def _pystuck_inspection(run):
    def inspect(what, *arguments):
        return None

    return inspect
