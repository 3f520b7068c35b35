"""Log records as text and as JSON, one line each."""

import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from appliance import logs


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Give other tests their own logging back."""
    loggers = [logging.getLogger(name) for name in (None, *logs._LIBRARIES)]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def record(message: str = "hello %s", *arguments: object, **extra: Any) -> logging.LogRecord:
    """Return a record of 2026-01-02 03:04:05.678 UTC."""
    fields = {"name": "appliance.store.writer", "levelname": "WARNING", "levelno": 30}
    made = logging.makeLogRecord({**fields, "msg": message, "args": arguments, **extra})
    made.created, made.msecs = 1_767_323_045.678, 678.0
    return made


def text(made: logging.LogRecord) -> str:
    return logs.TextFormatter().format(made)


def as_json(made: logging.LogRecord) -> Any:
    line = logs.JsonFormatter().format(made)
    assert len(line.splitlines()) == 1
    return json.loads(line)


def failure() -> Any:
    try:
        raise ValueError("a\nb")
    except ValueError:
        return sys.exc_info()


def test_text_has_time_level_part_message_and_fields() -> None:
    line = text(record("hello %s", "you", market="GOLD", rows=3))
    expected = "2026-01-02T03:04:05.678Z warning store.writer: hello you market=GOLD rows=3"
    assert expected == line


def test_times_are_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert text(record()).startswith("2026-01-02T03:04:05.678Z ")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_record_stays_one_line() -> None:
    """Who chooses a part of a message must not write lines of the log, or move the cursor."""
    line = text(record("path %s", "/a\r\n2026 info x: \x1b[2J\x85\u2028", note="b\nc"))
    assert line.endswith(r"path /a\r\n2026 info x: \x1b[2J\x85\u2028 note=b\nc")
    assert len(line.splitlines()) == 1


def test_letters_of_all_scripts_stay_as_they_are() -> None:
    assert text(record("größer ≤ 中 🙂\n")).endswith(": größer ≤ 中 🙂\\n")


def test_tracebacks_follow_the_line() -> None:
    lines = text(record("failed", exc_info=failure(), stack_info="Stack:\n  here")).splitlines()
    assert lines[0].endswith("store.writer: failed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-2:] == ["Stack:", "  here"]
    assert "ValueError: a" in lines


def test_json_has_the_same_and_every_field() -> None:
    made = record("hello %s", "you", market="GOLD", price=0.1, big=2**200)
    expected = {
        "time": "2026-01-02T03:04:05.678Z",
        "level": "warning",
        "logger": "appliance.store.writer",
        "message": "hello you",
        "market": "GOLD",
        "price": 0.1,
        "big": 2**200,
    }
    assert expected == as_json(made)


def test_json_takes_any_value() -> None:
    """Also a file name that is not valid Unicode, and objects."""
    found = as_json(record("file %s", "a\udcff", path={1}, other=ValueError("x")))
    assert ("file a\udcff", "{1}", "x") == (found["message"], found["path"], found["other"])


def test_fields_never_replace_what_every_line_has() -> None:
    found = as_json(record(level="none", time="never", logger="nobody", traceback="kept"))
    assert ("warning", "appliance.store.writer") == (found["level"], found["logger"])
    assert found["time"].startswith("2026-")
    assert found["traceback"] == "kept"


def test_json_keeps_the_traceback_on_the_line() -> None:
    found = as_json(record("failed", exc_info=failure()))
    assert found["traceback"].startswith("Traceback (most recent call last):\n")
    assert found["traceback"].endswith("ValueError: a\nb")


def test_configured_loggers_write_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "text")
    logging.getLogger("appliance.app").info("ready", extra={"port": 3000})
    logging.getLogger("appliance.app").debug("hidden")
    logging.getLogger("sanic.root").info("hidden")
    logging.getLogger("sanic.error").warning("shown")
    logging.getLogger("urllib3.connectionpool").warning("hidden: it raises the same")
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    lines = [re.sub(pattern, "", line) for line in capsys.readouterr().err.splitlines()]
    assert ["info app: ready port=3000", "warning sanic.error: shown"] == lines


def test_the_level_holds_for_libraries_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("error", "json")
    for name in ("appliance.app", "sanic.error", "clickhouse_connect"):
        logging.getLogger(name).warning("hidden")
        logging.getLogger(name).error("shown")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert ["appliance.app", "sanic.error", "clickhouse_connect"] == [x["logger"] for x in lines]
    assert {"shown"} == {line["message"] for line in lines}
