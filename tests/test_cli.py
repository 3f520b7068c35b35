"""The command line: what it prints, how it refuses, and its exit codes."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import __version__, cli, imports, running, settings
from appliance.errors import BadRequest, Conflict, Retryable, StoreLocked
from appliance.running import Running
from tests.processes import command, environment, run

COMMANDS = ["serve", "get", "import", "verify", "backup", "restore", "disk", "doctor", "settings"]
Main = Callable[..., tuple[int, str, str]]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Main]:
    """Run a command in this process: its exit code, output and errors."""
    for name in (row.metadata["name"] for row in settings.rows()):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    signals = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    yield call
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for number, handler in signals.items():
        signal.signal(number, handler)


def sentence(result: tuple[int, str, str]) -> tuple[int, str]:
    """Return exit code and the one line on standard error."""
    code, out, err = result
    (line,) = err.splitlines()
    assert (out, True) == ("", line.startswith("appliance: "))
    return code, line.removeprefix("appliance: ")


# -- parsing --


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_tells_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*name.split(), "--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    for word in ["--data-dir"] if name else COMMANDS:
        assert word in text


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert f"{__version__}\n" == capsys.readouterr().out


@pytest.mark.parametrize(
    "words", ["", "fly", "get", "import", "serve --demo --no-demo", "serve --colour", "get / /"]
)
def test_unknown_words_are_refused_with_2(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words.split())
    out, err = capsys.readouterr()
    assert (2, "") == (caught.value.code, out)
    assert "usage: appliance" in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("serve", {}),
        ("serve --demo", {"DEMO": "on"}),
        ("serve --no-demo --port 5", {"DEMO": "off", "PORT": "5"}),
        ("serve --host ::1 --data-dir x", {"BIND_HOST": "::1", "DATA_DIR": "x"}),
        ("get /x --data-dir y", {"DATA_DIR": "y"}),
    ],
)
def test_flags_are_settings(words: str, expected: dict[str, str]) -> None:
    assert expected == cli._flags(cli._parser().parse_args(words.split()))


# -- errors --


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (StoreLocked("busy"), 2, "busy"),
        (BadRequest("wrong"), 2, "wrong"),
        (Conflict("other"), 2, "other"),
        (Retryable("later"), 1, "later"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (PermissionError(13, "Permission denied", "/a"), 1, "Permission denied: /a"),
        (TimeoutError("too slow"), 1, "too slow"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    main: Main, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, text: str
) -> None:
    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(imports, "run", fail)
    assert (code, text) == sentence(main("import", "x"))


def test_ctrl_c_is_quiet(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(imports, "run", interrupt)
    assert (130, "", "") == main("import", "x")


@pytest.mark.parametrize(
    ("flags", "variables", "expected"),
    [
        ("--data-dir {}/file/below", {}, "DATA_DIR must be a directory that can be written, was"),
        ("--data-dir {}/file", {}, "DATA_DIR must be the path of a directory"),
        ("--data-dir /proc/no", {}, "DATA_DIR must be a directory that can be written"),
        ("--port x", {}, "PORT must be a whole number from 1 to 65,535, was 'x'"),
        ("", {"DEMO": "maybe"}, "DEMO must be one of auto, on, off, was 'maybe'"),
        ("", {"JWT_SECRET": "s3cret"}, "JWT_SECRET: signed tokens are not supported yet"),
        ("", {"API_KEYS": "s3cret"}, "API_KEYS must be a comma list of keys of at least 8"),
    ],
)
def test_a_wrong_start_is_one_plain_sentence(
    main: Main,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: str,
    variables: dict[str, str],
    expected: str,
) -> None:
    (tmp_path / "file").touch()
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    code, line = sentence(main("serve", *flags.format(tmp_path).split()))
    assert (2, True) == (code, line.startswith(expected))
    assert "s3cret" not in line


# -- settings --


def test_settings_are_printed(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their meaning, without their secrets, and with the names that have no effect."""
    monkeypatch.setenv("API_KEYS", "correct-horse")
    monkeypatch.setenv("SENTRY_DSN", "hidden-secret")
    monkeypatch.setenv("PORT", "4000")
    code, out, err = main("settings", "--data-dir", "elsewhere")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert (0, "") == (code, err)
    assert (["4000"], ["elsewhere"]) == (lines["PORT"], lines["DATA_DIR"])
    assert ["(1", "set)"] == lines["API_KEYS"]
    assert "SENTRY_DSN: not used; the appliance has no such feature" in out.splitlines()
    assert "correct-horse" not in out
    assert "hidden-secret" not in out
    assert {row.metadata["name"] for row in settings.rows()} <= lines.keys()


def test_settings_are_documented(main: Main) -> None:
    assert (0, settings.document(), "") == main("settings", "--markdown")


# -- get --


def test_get_asks_the_server_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """And shows its answer to the last byte, with one line end."""
    server = Running("http://x", "t", "i", 1)
    answers = {"/good": (200, b"\xffdata"), "/line": (200, b"a\n"), "/bad": (404, b"{}")}
    monkeypatch.setattr(running, "find", lambda data_dir: server if data_dir == tmp_path else None)
    monkeypatch.setattr(running, "get", lambda found, path: answers[path])

    def got(path: str) -> tuple[int, bytes]:
        return cli.main(["get", path, "--data-dir", str(tmp_path)]), capsysbinary.readouterr().out

    assert [(0, b"\xffdata\n"), (0, b"a\n"), (1, b"{}\n")] == [got(path) for path in answers]


def test_get_of_no_path_is_refused(main: Main, tmp_path: Path) -> None:
    expected = (2, "PATH must begin with /, was 'version'")
    assert expected == sentence(main("get", "version", "--data-dir", tmp_path))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def test_get_works_without_a_server(data_dir: Path) -> None:
    """As a process: its output is the answer alone."""
    result = run("get", "/api/tradingview/config", "--data-dir", data_dir)
    assert (0, True) == (result.returncode, json.loads(result.stdout)["supports_search"])
    assert "Traceback" not in result.stderr


def test_get_of_an_unknown_path_is_1(data_dir: Path) -> None:
    result = run("get", "/nothing", "--data-dir", data_dir)
    assert (1, "") == (result.returncode, result.stderr)
    assert json.loads(result.stdout)["error"]["code"] == "not_found"


@pytest.mark.parametrize("words", ["settings", "get /api/tradingview/config"])
def test_a_reader_that_goes_away_is_no_error(data_dir: Path, words: str) -> None:
    """`appliance get … | head -1` ends without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            command(*words.split(), "--data-dir", data_dir),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            env=environment(),
            check=False,
        )
    finally:
        os.close(writing)
    assert (141, b"") == (result.returncode, result.stderr)


def test_help_needs_no_heavy_parts() -> None:
    """It answers at once."""
    code = (
        "import sys; from appliance import cli; cli._parser().format_help();"
        "heavy = {'chdb', 'sanic', 'pyarrow', 'numpy', 'web3'} & sys.modules.keys();"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    result: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (0, b"") == (result.returncode, result.stderr)
