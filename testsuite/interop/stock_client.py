# SPDX-License-Identifier: BSD-3-Clause
"""The program that runs the cases of stock_cases.py and its like with one stock rpyc.

Arguments: the patience of a case, and the modules that have the cases.
"""

import importlib
import sys

import stock_cases

for name in sys.argv[2:]:
    importlib.import_module(name)

stock_cases.main()
