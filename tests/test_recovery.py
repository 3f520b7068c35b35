"""`appliance backup` and `appliance restore`, with and without a running server."""

import argparse
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from appliance import app, recovery, running
from appliance.errors import BadRequest, Conflict, Retryable
from appliance.running import Running
from appliance.settings import Settings
from appliance.status import PartState
from appliance.store.archives import Archives
from appliance.store.backup import Backups
from tests.archives import whole
from tests.conftest import Opened
from tests.processes import Server, command, run
from tests.restored import outcomes
from tests.test_store_backup import put

SERVER = Running("http://127.0.0.1:1", "token", "instance", 1)
STATE = {"state": "done", "step": "", "progress": 1.0, "archive": {"path": "/x"}, "error": None}


def answering(monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, object]) -> list[str]:
    """Let a server give these answers, one after another; return what it is asked for."""
    left, asked = list(answers), []

    def answer(_: Running, path: str, *body: object) -> tuple[int, bytes]:
        asked.append("POST" if body else "GET")
        status, value = left.pop(0)
        return status, msgspec.json.encode(value)

    monkeypatch.setattr(running, "find", lambda _: SERVER)
    monkeypatch.setattr(running, "post", answer)
    monkeypatch.setattr(running, "ask", answer)
    monkeypatch.setattr(recovery, "_LOOK_S", 0.0)
    return asked


def backup(data_dir: Path, to: Path | None = None) -> str:
    return recovery.backup(Settings(data_dir=data_dir), argparse.Namespace(to=to))


def test_a_running_server_makes_the_backup(opened: Opened, tmp_path: Path) -> None:
    """And it goes on into another folder; a restore keeps off the server's directory."""
    put(opened, 0)
    opened.store.close()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "0.partial").touch()
    server = Server(tmp_path, "--no-demo").until("ready at")
    try:
        moved = run("backup", "--data-dir", tmp_path, "--to", tmp_path / "else")
        onto = run("restore", tmp_path / "x", "--data-dir", tmp_path)
    finally:
        server.kill()
    assert (0, "") == (moved.returncode, moved.stderr)
    (made,) = Archives(tmp_path / "else").all()
    assert moved.stdout.startswith("backup: 7 trades of 1 markets as of 20")
    assert moved.stdout.endswith(f" bytes: {made.path}\n")
    assert 0o600 == made.path.stat().st_mode & 0o777
    assert [] == list((tmp_path / "backups").iterdir()), "what a kill left is removed at the start"
    assert 2 == onto.returncode
    assert onto.stderr.startswith("appliance: DATA_DIR must be empty to restore into, ")


def test_without_a_server_the_store_is_opened(opened: Opened, tmp_path: Path) -> None:
    """Also to a folder; what a kill left is removed."""
    put(opened, 0)
    opened.store.close()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "0.partial").touch()
    result = run("backup", "--data-dir", tmp_path, "--to", tmp_path / "to", LOG_LEVEL="error")
    assert (0, "") == (result.returncode, result.stderr)
    (made,) = Archives(tmp_path / "to").all()
    assert result.stdout.startswith("backup: 7 trades of 1 markets as of 20")
    assert f" UTC, {made.size:,} bytes: {made.path}\n" in result.stdout
    assert [] == list((tmp_path / "backups").iterdir())


def test_nothing_to_back_up_is_a_sentence(tmp_path: Path) -> None:
    """And makes no store."""
    with pytest.raises(BadRequest, match=r"DATA_DIR must hold a store to back up, .* holds none"):
        backup(tmp_path / "data")
    remote = Settings(data_dir=tmp_path, store_url="clickhouse://host:8123/db")
    with pytest.raises(BadRequest, match="whose own BACKUP"):
        recovery.backup(remote, argparse.Namespace(to=None))
    assert [] == list(tmp_path.iterdir())


def test_a_command_on_a_busy_store_is_a_sentence(opened: Opened, tmp_path: Path) -> None:
    """A process that has the store open without a server, like an import."""
    ((code, said),) = outcomes([command("backup", "--data-dir", tmp_path)])
    assert (2, True) == (code, "another process has the store at" in said)


def test_the_server_is_asked_until_it_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = whole(tmp_path / "appliance-20250615T150640Z.tar.zst")
    going, done = STATE | {"state": "running", "archive": None}, {"archive": {"path": str(path)}}
    asked = answering(monkeypatch, (202, going), (200, going), (200, STATE | done))
    assert f"bytes: {path}" in backup(tmp_path)
    assert ["POST", "GET", "GET"] == asked
    answering(monkeypatch, (202, STATE | done))
    assert f"bytes: {path}" in backup(tmp_path, to=tmp_path), "it is there already"


@pytest.mark.parametrize(
    ("status", "value", "kind", "sentence"),
    [
        (200, STATE | {"state": "failed", "archive": None, "error": "no room"}, Retryable, "room"),
        (200, STATE | {"state": "failed", "archive": None}, Retryable, "its log says why"),
        (200, ["?"], Retryable, "the server answered 200 with something else"),
        (409, {"error": {"message": "one runs"}}, Conflict, "one runs"),
        (400, {"error": {"message": "a server"}}, BadRequest, "a server"),
        (500, {}, Retryable, "the server answered 500"),
    ],
)
def test_what_the_server_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    status: int,
    value: object,
    kind: type[Exception],
    sentence: str,
) -> None:
    answering(monkeypatch, (status, value))
    with pytest.raises(kind, match=sentence):
        backup(tmp_path)


def test_a_move_that_fails_keeps_the_archive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = whole(tmp_path / "appliance-20250615T150640Z.tar.zst")
    answering(monkeypatch, (202, STATE | {"archive": {"path": str(path)}}))
    (tmp_path / "file").touch()
    with pytest.raises(
        BadRequest, match="the folder of the backup must be one that can be written"
    ):
        backup(tmp_path, to=tmp_path / "file" / "in")
    assert path.is_file()


# -- the schedule in the appliance --


@pytest.mark.parametrize(
    ("enabled", "url", "expected"),
    [(True, "", ["backup"]), (False, "", []), (True, "clickhouse://host:8123/db", [])],
)
async def test_the_schedule_runs_where_it_is_enabled(
    tmp_path: Path, enabled: bool, url: str, expected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """And ends with the appliance; for a server it says that it is not used."""
    settings = Settings(data_dir=tmp_path, backup_enabled=enabled, store_url=url)
    appliance = app.build(settings)
    async with AsyncExitStack() as stack:
        app._start_schedule(appliance, stack)
        states = [source.state() for source in appliance.parts.status.sources]
        assert expected == [state.name for state in states if isinstance(state, PartState)]
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "backup-schedule"]
        assert len(expected) == len(tasks)
    assert all(task.cancelled() for task in tasks)
    assert bool(url) is ("BACKUP_ENABLED: not used" in caplog.text)
    assert isinstance(appliance.parts.backups, Backups)
