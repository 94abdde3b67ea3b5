"""A module whose import does not end."""

import threading

begun = threading.Event()
begun.set()
threading.Event().wait()
