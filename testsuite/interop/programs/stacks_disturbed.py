"""Reads its own stacks from memory in which bytes are changed at random.

Arguments: how many of 65536 reads are changed; how often all stacks are read. Prints a JSON object:
`times`, the second argument, and `read`, how often the reader returned a list of threads.
"""

import json
import sys
import threading

import stackreader_module

done = threading.Event()


def recurse(depth):
    if depth:
        recurse(depth - 1)
    else:
        done.wait()


def generate():
    done.wait()
    yield


def use_generator():
    list(generate())


for number in range(5):
    threading.Thread(target=recurse, args=(number * 10,), name=f"w\xf6rker {number}").start()
threading.Thread(target=use_generator).start()
rate, times = map(int, sys.argv[1:])
read = stackreader_module.disturb(12345 + rate, rate, times)
done.set()
print(json.dumps({"times": times, "read": read}))
