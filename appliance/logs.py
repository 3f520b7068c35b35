"""Set up logging once, at start: one line per record, as text or as JSON, on standard error."""

import logging
import logging.config
import time
from typing import Any

import msgspec

_LIBRARIES = ("sanic.root", "sanic.server", "sanic.error", "clickhouse_connect")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


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
        line += record.getMessage() + extra
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(TextFormatter):
    """One JSON object per line, with every extra field of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object."""
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def configure(level: str, form: str) -> None:
    """Send every logger of the process to standard error, at `level`, in `form` text or json."""
    formatter = f"{__name__}.{'JsonFormatter' if form == 'json' else 'TextFormatter'}"
    quiet = {"level": "WARNING", "propagate": True}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": formatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": level.upper(), "handlers": ["stderr"]},
            "loggers": dict.fromkeys(_LIBRARIES, quiet),
        }
    )
