"""Not surely a deadlock: any thread may release the Lock that the main thread has acquired."""

import threading

ready, lock, other = threading.Event(), threading.Lock(), threading.Lock()


def waiter():
    with lock:
        ready.set()
        with other:
            pass


other.acquire()
threading.Thread(target=waiter, name="waiter", daemon=True).start()
ready.wait()
with lock:  # the main thread could release `other` before this
    pass
