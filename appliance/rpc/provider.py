"""The HTTP side of one endpoint: web3's provider on a session of its own.

web3 8 opens a connection for every call, retries 429 five times without reading Retry-After,
throws away the body of a failed request, and writes URLs (with their keys) to its log. This
provider keeps web3's requests and replaces the way they travel: connections stay open, nothing is
retried but a connection that the node had closed meanwhile, and the body is always read, up to a
limit. Importing this module takes a second or two, because it imports web3.
"""

from collections.abc import Sequence
from typing import Final, cast

import aiohttp
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

from appliance.rpc.answer import Reply
from appliance.rpc.errors import TooManyResults, Unavailable
from appliance.rpc.failure import words

_CONNECT_S: Final = 10.0
_KEEP_ALIVE_S: Final = 15.0
_CHUNK: Final = 256 * 1024
_MOST_BYTES: Final = 256 * 1024 * 1024
"""A block full of logs is a quarter of this in JSON."""


class Provider(AsyncHTTPProvider):
    """Sends requests to one URL; make it on the event loop that uses it."""

    def __init__(self, url: str, timeout_s: float, connections: int) -> None:
        """Open the session; connections are made when they are needed."""
        super().__init__(url, exception_retry_configuration=None)
        self._url = url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(timeout_s, sock_connect=min(timeout_s, _CONNECT_S)),
            headers={"Content-Type": "application/json", "User-Agent": "chart-appliance"},
        )

    def __str__(self) -> str:
        """Return a name without the URL, which web3 would show."""
        return "RPC connection"

    def request(self, method: str, params: Sequence[object]) -> tuple[int, bytes]:
        """Return the id and the JSON of a request."""
        formed = self.form_request(RPCEndpoint(method), list(params))
        return cast("int", formed["id"]), self.encode_rpc_dict(formed)

    async def send(self, body: bytes) -> Reply:
        """Post `body` and return what came back. Raise Unavailable when nothing whole did.

        A node may close an idle connection at the moment we use it; then a new one is tried once.
        """
        try:
            try:
                return await self._post(body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError):
                    raise
                return await self._post(body)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(words(error)) from None

    async def disconnect(self) -> None:
        """Close the session. Calling it again does nothing."""
        await self._session.close()

    async def _make_request(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        """Serve web3's own calls over the same session."""
        return (await self.send(request_data)).body

    async def _post(self, body: bytes) -> Reply:
        async with self._session.post(self._url, data=body, allow_redirects=False) as response:
            whole = await _read(response)
            return Reply(response.status, whole, response.headers.get("Retry-After"))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole body. Raise TooManyResults when it is larger than memory should bear."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise TooManyResults(f"the answer is larger than {_MOST_BYTES // 2**20} MiB")
    return b"".join(parts)
