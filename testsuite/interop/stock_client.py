# SPDX-License-Identifier: BSD-3-Clause
"""Runs cases with one stock rpyc, as standard input asks for them; see cases.py.

Arguments: the seconds after which a request of a case counts as lost, and the modules that define
the cases.
"""

import importlib
import sys

import cases

cases.PATIENCE = float(sys.argv[1])  # before the modules below import it
for name in sys.argv[2:]:
    importlib.import_module(name)

cases.main()
