"""Backups over HTTP: begun, watched, listed, downloaded, and taken in again."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.settings import Settings
from appliance.store import archive
from appliance.store.backup import Backups
from tests.archives import CREATED, members, packed, whole
from tests.conftest import NOW, Opened
from tests.oracle import T, table
from tests.test_store_backup import GOLD
from tests.web_server import ADMIN_TOKEN, KEY, Answer, Web, serving

STAMP = "20250615T150640Z"


@pytest.fixture
def web(opened: Opened, tmp_path: Path) -> Iterator[Web]:
    """Serve the backups of a store that holds a trade."""
    opened.store.writer.submit(table([T(NOW * 10**6, 5.0, 1, trade_id="a")]), (GOLD,)).result(60)
    backups = Backups(Settings(data_dir=tmp_path), opened.store)
    with serving(backups) as running:
        yield running
    backups.close()


def ask(web: Web, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    return web.ask(f"/api/admin/{path}", method, body, X_API_Key=ADMIN_TOKEN, **headers)


def files(web: Web) -> list[str]:
    """Return the names of all that lies in the folder of backups."""
    folder = web.parts.backups.archives.folder
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_backup_is_begun_watched_listed_and_downloaded(web: Web) -> None:
    nothing = {"state": "idle", "step": "", "progress": 0.0, "archive": None, "error": None}
    assert nothing == ask(web, "backup").json
    assert {"backups": []} == ask(web, "backups").json
    begun = ask(web, "backup", "POST")
    assert (202, "no-store") == (begun.status, begun.headers["cache-control"])
    deadline = time.monotonic() + 60
    while (state := ask(web, "backup").json)["state"] == "running":
        assert time.monotonic() < deadline
    assert ("done", 1.0, None) == (state["state"], state["progress"], state["error"])
    row = state["archive"]
    assert {"backups": [row]} == ask(web, "backups").json
    content = Path(row["path"]).read_bytes()
    got = ask(web, f"backup/{row['name']}")
    assert (200, content) == (got.status, got.body)
    assert (str(row["size"]), "application/zstd") == (
        got.headers["content-length"],
        got.headers["content-type"],
    )
    assert f'attachment; filename="{row["name"]}"' == got.headers["content-disposition"]
    head = ask(web, f"backup/{row['name']}", "HEAD")
    assert (200, b"", str(row["size"])) == (head.status, head.body, head.headers["content-length"])
    assert 200 == ask(web, "backups").status


def test_an_archive_is_taken_in(web: Web, tmp_path: Path) -> None:
    """Checked whole and stored; the answer says how to restore it."""
    body = whole(tmp_path / "a").read_bytes()
    answer = ask(web, "restore", "POST", body)
    stored, name = answer.json["stored"], f"appliance-{STAMP}.tar.zst"
    assert (200, False, name) == (answer.status, answer.json["restored"], stored["name"])
    assert CREATED == stored["created"]
    assert f"appliance restore {stored['path']} --data-dir" in answer.json["message"]
    assert body == Path(stored["path"]).read_bytes() == ask(web, f"backup/{name}").body
    assert 0o600 == Path(stored["path"]).stat().st_mode & 0o777
    again = ask(web, "restore", "POST", iter([body[:100], body[100:]]))
    assert f"appliance-{STAMP}-2.tar.zst" == again.json["stored"]["name"]


def test_what_is_no_archive_is_refused_and_not_kept(web: Web, tmp_path: Path) -> None:
    good = whole(tmp_path / "a").read_bytes()
    links = packed(tmp_path / "b", members({"../x": b""})).read_bytes()
    for body in (good[:-5], links, b"noise", b""):
        answer = ask(web, "restore", "POST", body)
        assert (400, "file") == (answer.status, answer.json["error"]["field"])
        assert answer.json["error"]["message"].startswith("FILE must be a whole, unchanged backup")
    answer = ask(web, "restore", "POST", good, Content_Encoding="gzip")
    assert (400, True) == (answer.status, "Content-Encoding must be absent" in str(answer.json))
    assert [] == files(web)


def test_an_upload_that_could_fill_the_disk_is_refused(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.parts.backups.archives, "_floor", 1 << 60)
    answer = ask(web, "restore", "POST", whole(tmp_path / "a").read_bytes())
    assert (507, "disk_full") == (answer.status, answer.json["error"]["code"])
    assert [] == files(web)


def test_other_names_are_unknown(web: Web) -> None:
    for name in ("x", "..%2f..%2fserver.json", "%2e%2e", "a.partial"):
        assert 404 == ask(web, f"backup/{name}").status


def test_only_admins_may(web: Web) -> None:
    """A key that writes trades does not copy all of them."""
    for method, path in (
        *(("POST", "backup"), ("GET", "backup"), ("GET", "backups")),
        *(("GET", "backup/x"), ("POST", "restore")),
    ):
        assert 403 == web.ask(f"/api/admin/{path}", method, X_API_Key=KEY).status
        assert 401 == web.ask(f"/api/admin/{path}", method).status
    assert [] == files(web)


def test_a_second_one_has_to_wait(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, write = threading.Event(), archive.write

    def slow(*arguments: Any) -> None:
        assert go_on.wait(60)
        write(*arguments)

    monkeypatch.setattr(archive, "write", slow)
    assert 202 == ask(web, "backup", "POST").status
    assert 409 == ask(web, "backup", "POST").status
    go_on.set()
