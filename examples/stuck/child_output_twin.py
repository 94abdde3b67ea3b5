"""Looks like child_output.py, but the child has ended: its own child has the pipe."""

import subprocess

command = "sleep 100000 & exit"
subprocess.run(command, shell=True, capture_output=True)
