"""Backups over HTTP, for keys of scope admin, under `/api/admin`.

`POST backup` begins one, `GET backup` tells how far it is and what came of it; `GET backups` lists
the archives, `GET backup/<name>` downloads one, `POST restore` takes one in.
"""

import asyncio
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest
from appliance.store import archive
from appliance.store.archives import Archive, Archives
from appliance.store.backup import Backups, Progress
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.security import authorize

_CHUNK: Final = 1 << 20
_TYPE: Final = "application/zstd"
_ROOM_EVERY: Final = 64 << 20
"""Bytes of an upload of unknown length after which it is looked whether there is room."""


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("backups", url_prefix="/api/admin")
    backups: Backups = parts.backups

    @routes.post("/backup")
    async def post_backup(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        backups.start()
        body = progress_body(backups.progress)
        return answer(request, body, HTTPStatus.ACCEPTED, cache="no-store")

    @routes.get("/backup")
    async def get_backup(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        return answer(request, progress_body(backups.progress), cache="no-store")

    @routes.get("/backups")
    async def get_backups(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        found = await asyncio.to_thread(backups.archives.all)
        rows = [_archive_row(each) for each in found]
        return answer(request, {"backups": rows}, cache="no-store")

    @routes.get("/backup/<name:str>")
    async def download(request: sanic.Request, name: str) -> HTTPResponse | None:
        authorize(request, parts, "admin")
        found = await asyncio.to_thread(backups.archives.get, name)
        if request.head.startswith(b"HEAD "):  # a stream of nothing cannot be ended
            return HTTPResponse(headers=_headers(found), content_type=_TYPE)
        await _send(request, found)
        return None

    @routes.post("/restore", stream=True)
    async def post_restore(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        kept = await _receive(request, backups.archives)
        return answer(request, _kept_body(kept), cache="no-store")

    return routes


def progress_body(progress: Progress) -> dict[str, Any]:
    """Return how a backup is doing."""
    return {
        "state": progress.state,
        "step": progress.step,
        "progress": round(progress.done, 3),
        "archive": None if progress.archive is None else _archive_row(progress.archive),
        "error": progress.error or None,
    }


def _kept_body(kept: Archive) -> dict[str, Any]:
    """Return what became of an upload, and how to go on."""
    return {
        "stored": _archive_row(kept),
        "restored": False,
        "message": "a running server owns a data directory that is not empty; to restore: "
        f"appliance restore {kept.path.resolve()} --data-dir <an empty directory>, "
        "then start the server with it",
    }


def _archive_row(each: Archive) -> dict[str, Any]:
    path = str(each.path.resolve())
    return {"name": each.name, "size": each.size, "created": each.created, "path": path}


def _headers(found: Archive) -> dict[str, str]:
    return {
        "content-length": str(found.size),
        "content-disposition": f'attachment; filename="{found.name}"',
        "cache-control": "no-store",
    }


async def _send(request: sanic.Request, found: Archive) -> None:
    with closing(await asyncio.to_thread(found.path.open, "rb")) as source:
        response: Any = await request.respond(headers=_headers(found), content_type=_TYPE)
        while chunk := await asyncio.to_thread(source.read, _CHUNK):
            await response.send(chunk)
        await response.eof()


async def _receive(request: sanic.Request, archives: Archives) -> Archive:
    """Store the body as an archive, if it is a whole one."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise BadRequest("Content-Encoding must be absent: an archive is packed already")
    with archives.draft() as draft:
        archives.require_room(_length(request))
        await _write(request, draft, archives)
        manifest = await asyncio.to_thread(archive.check, draft, lambda _: None)
        return await asyncio.to_thread(archives.keep, draft, manifest.created)


def _length(request: sanic.Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() else 0


async def _write(request: sanic.Request, draft: Path, archives: Archives) -> None:
    stream: Any = request.stream  # of HTTP/1 or ASGI; their common base does not declare read()
    with closing(await asyncio.to_thread(archive.create, draft)) as sink:
        written = 0
        while stream is not None and (chunk := await stream.read()):
            await asyncio.to_thread(sink.write, chunk)
            written += len(chunk)
            if written % _ROOM_EVERY < len(chunk):
                archives.require_room(0)
