"""A program waits for the output of a child that writes nothing and never ends."""

import subprocess

subprocess.run(["sleep", "100000"], capture_output=True)
