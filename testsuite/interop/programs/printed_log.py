# SPDX-License-Identifier: BSD-3-Clause
"""A logger that prints its messages from warnings on, for programs with a server."""

import logging


class Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(record.levelname, record.getMessage(), flush=True)


logger = logging.getLogger("mine")
logger.setLevel(logging.WARNING)
logger.addHandler(Lines())
