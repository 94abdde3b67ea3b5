"""What the client runs in the debuggee for the stacks of its threads and greenlets.

Sent as text through the service's execute, to any server, so: Python 3.6, the standard library, one
name in the connection's namespace, which is taken out again. It has to work in a program that is
stuck, so:
  - threading._active is read without the lock that threading.enumerate() takes, before and after
    the frames, so that a thread that starts or ends meanwhile keeps its name;
  - a thread that has ended by the time all is written down is left out: it was not stuck (often it
    is the server's own, left over from our first attempt to connect);
  - the thread that runs this is told by its code, since gevent replaces get_ident(); and its frame
    is not kept, as it would keep itself, and all other threads' frames with it, alive;
  - greenlets are found without any code of theirs, as pystuck.greenlets does;
  - one thread that cannot be shown (its __repr__ or its module's loader raises) costs one title or
    some source lines, not the whole answer;
  - stock rpyc hangs up rather than send a lone surrogate, and a file's name may have one.
"""


def _pystuck_stacks(as_json, with_greenlets):
    """The stacks as text, or as JSON: doc/stacks.schema.json says what is in it."""
    import gc
    import linecache
    import os
    import sys
    import threading
    import time
    import traceback

    def sendable(text):
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    def attempt(function, otherwise=None):
        try:
            return function()
        except BaseException:
            return otherwise

    def known_threads():
        try:
            return dict(threading._active)
        except AttributeError:
            return {t.ident: t for t in threading.enumerate()}

    def not_ours():
        """The innermost frames of the program's threads, by ident."""
        frames = {i: f for i, f in sys._current_frames().items() if f.f_code not in own_codes}
        for ident in attempt(lambda: sys.modules["_pystuck"].own_threads(), ()):
            frames.pop(ident, None)
        return frames

    def suspended_greenlets():
        base = getattr(sys.modules.get("greenlet"), "greenlet", None)
        if not with_greenlets or not isinstance(base, type):
            return
        for thing in [thing for thing in gc.get_objects() if issubclass(type(thing), base)]:
            frame = base.gr_frame.__get__(thing) if base.__bool__(thing) else None
            if frame is not None:  # else it is its thread's
                yield thing, frame

    def title(thing):
        text = attempt(lambda: repr(thing))
        return sendable(text if isinstance(text, str) else object.__repr__(thing))

    def thread_title(ident):
        if ident not in threads:
            return f"<thread {ident} (not started by threading)>"
        return title(threads[ident])

    def outermost_first(frame):
        frames = []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        return frames[::-1]

    # ---- As text ---------------------------------------------------------------------------------

    def calls(frame):
        plain = '  File "%s", line %s, in %s\n'
        text = attempt(lambda: "".join(traceback.format_stack(frame)))
        if text is None:
            text = "".join(
                plain % (f.f_code.co_filename, f.f_lineno, f.f_code.co_name)
                for f in outermost_first(frame)
            )
        return text

    # ---- As JSON ---------------------------------------------------------------------------------

    def source_line(frame):
        name = frame.f_code.co_filename
        if name not in checked:
            checked.add(name)
            linecache.checkcache(name)
        return sendable(linecache.getline(name, frame.f_lineno, frame.f_globals).strip()) or None

    def described(frame):
        return [
            {
                "file": sendable(f.f_code.co_filename),
                "line": f.f_lineno,
                "function": sendable(f.f_code.co_name),
                "source": attempt(lambda f=f: source_line(f)),
            }
            for f in outermost_first(frame)
        ]

    def described_thread(ident):
        thread = threads.get(ident)
        native = attempt(lambda: thread.native_id)
        return {
            "ident": ident,
            "native_id": native if type(native) is int else None,
            "name": thread and attempt(lambda: sendable(str(thread.name))),
            "daemon": thread and attempt(lambda: bool(thread.daemon)),
            "main": ident == main,
            "repr": thread_title(ident),
            "frames": described(frames[ident]),
        }

    def document():
        import json

        found = [described_thread(ident) for ident in order]
        alive = set(sys._current_frames())
        return json.dumps(
            {
                "schema": 1,
                "pid": os.getpid(),
                "python": sys.version.split()[0],
                "argv": [sendable(str(each)) for each in getattr(sys, "argv", ())],
                "time": time.time(),
                "threads": [each for each in found if each["ident"] in alive],
                "greenlets": [
                    {"repr": title(greenlet), "frames": described(frame)}
                    for greenlet, frame in suspended_greenlets()
                ],
            },
            indent=1,
        )

    own_codes = {sys._getframe().f_code, not_ours.__code__}
    checked = set()
    main = threading.main_thread().ident
    threads = known_threads()
    frames = not_ours()
    threads.update(known_threads())
    order = [ident for ident in dict.fromkeys([main, *threads, *frames]) if ident in frames]
    if as_json:
        return document()
    shown = [(ident, thread_title(ident) + "\n" + calls(frames[ident])) for ident in order]
    alive = set(sys._current_frames())
    texts = [text for ident, text in shown if ident in alive]
    texts += [title(greenlet) + "\n" + calls(frame) for greenlet, frame in suspended_greenlets()]
    return sendable("\n".join(texts))
