"""Set up logging once, at start: one line per record, as text or as JSON, on standard error."""

import json
import logging
import logging.config
import time
from typing import Any, Final

_LIBRARIES: Final = {
    **dict.fromkeys(("sanic.root", "sanic.server", "sanic.error"), "WARNING"),
    **dict.fromkeys(("clickhouse_connect", "urllib3"), "ERROR"),  # they warn, then raise the same
    "sanic.websockets": "ERROR",  # it warns of every client that leaves without a word
}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTROLS: Final = (*range(32), *range(127, 160), 0x2028, 0x2029)
_ESCAPES: Final = {code: repr(chr(code))[1:-1] for code in _CONTROLS}
"""Control characters and line ends, which terminals and log readers obey."""


class TextFormatter(logging.Formatter):
    """`2026-01-01T00:00:00Z info store: message key=value`, in UTC."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line (more when it carries a traceback)."""
        name = record.name.removeprefix("appliance.")
        extra = "".join(f" {key}={value}" for key, value in _extra(record).items())
        line = f"{self.formatTime(record)} {record.levelname.lower()} {name}: "
        line += _one_line(record.getMessage() + extra)
        return "\n".join([line, *self._traces(record)])

    def _traces(self, record: logging.LogRecord) -> list[str]:
        """Return where the record comes from, if it carries that."""
        traces = [self.formatException(record.exc_info)] if record.exc_info else []
        return [*traces, self.formatStack(record.stack_info)] if record.stack_info else traces


class JsonFormatter(TextFormatter):
    """One JSON object per line, with every extra field of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object."""
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if traces := self._traces(record):
            line["traceback"] = "\n".join(traces)
        line = _extra(record) | line  # an extra field never replaces these
        return json.dumps(line, default=str)  # as ASCII: file names need not be valid Unicode


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _one_line(text: str) -> str:
    """Return `text` so that whoever chose a part of it cannot begin a line of the log."""
    return text.translate(_ESCAPES) if not text.isprintable() else text


def configure(level: str, form: str) -> None:
    """Send every logger of the process to standard error, at `level`, in `form` text or json."""
    formatter = f"{__name__}.{'JsonFormatter' if form == 'json' else 'TextFormatter'}"
    quiet = {
        name: {"level": "ERROR" if level == "error" else least, "propagate": True}
        for name, least in _LIBRARIES.items()
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": formatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": level.upper(), "handlers": ["stderr"]},
            "loggers": quiet,
        }
    )
