# SPDX-License-Identifier: BSD-3-Clause
"""The program that runs the cases of stock_cases.py and its like with one stock rpyc."""

import hang_cases  # noqa: F401
import helper_cases  # noqa: F401
import object_cases  # noqa: F401
import stock_cases

stock_cases.main()
