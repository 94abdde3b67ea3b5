"""What the client runs in the debuggee to complete what is typed: see client/cell.h.

As bootstrap.py: Python 3.6, the standard library, one name in the connection's namespace.
"""


def _pystuck_completion(run):
    def complete(line):
        return ()

    return complete
