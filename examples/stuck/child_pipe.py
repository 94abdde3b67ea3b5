"""A process waits for its child, which writes more than the pipe between them has room for.

subprocess warns of this: use communicate(), which reads the output while it waits.
"""

import subprocess

child = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
child.wait()
