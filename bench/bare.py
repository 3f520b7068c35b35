"""A Sanic server that answers every path with the same bytes: what a web server costs anyway.

Run as a process of its own: `bare.py PORT FILE`, the file holds the body, `FILE.gz` the compressed.
"""

import sys
from pathlib import Path

from sanic import HTTPResponse, Request, Sanic

JSON = "application/json; charset=utf-8"


def main() -> None:
    """Serve until killed."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    plain, packed = file.read_bytes(), file.with_suffix(".gz").read_bytes()
    app: Sanic = Sanic("bare", configure_logging=False)  # type: ignore[type-arg]
    app.config.ACCESS_LOG = False

    @app.get("/<path:path>")
    async def anything(request: Request, path: str) -> HTTPResponse:
        if "gzip" in request.headers.get("accept-encoding", ""):
            return HTTPResponse(packed, 200, {"content-encoding": "gzip"}, JSON)
        return HTTPResponse(plain, 200, None, JSON)

    app.run("127.0.0.1", port, single_process=True, motd=False, access_log=False)


if __name__ == "__main__":
    main()
