"""Log lines of a server's or worker's process: JSON, one event a line, on standard error; readable ones when that is a terminal.

Guarantees: a line has the instant, the level, the event and its keys, those of libraries too; a secret that is a `Secret` shows as such.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

from assaymark.checks.settings import Secret


def set_up(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Once per process, before anything is logged."""
    stream = sys.stderr if stream is None else stream
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _redacted,
    ]
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)  # a trace without the values of variables
    shown: Any = console if stream.isatty() else structlog.processors.JSONRenderer(default=str)
    last = [structlog.processors.format_exc_info, shown] if not stream.isatty() else [shown]
    structlog.configure(
        processors=[each for each in first if not isinstance(each, structlog.stdlib.ExtraAdder)] + last,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=first, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(level, logging.WARNING))  # libraries speak of what is wrong only


def _redacted(_logger: Any, _name: str, event: Any) -> Any:
    return {name: repr(value) if isinstance(value, Secret) else value for name, value in event.items()}
