"""What went wrong on the network, in words without a URL: the errors' own texts may hold one."""

from typing import Final

import aiohttp

_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "the host is not known"),
    (aiohttp.ClientConnectorCertificateError, "the certificate is not accepted"),
    (aiohttp.ClientSSLError, "no TLS connection comes about"),
    (aiohttp.ServerDisconnectedError, "closed the connection"),
    (aiohttp.ClientPayloadError, "the answer is cut off"),
    (aiohttp.WSServerHandshakeError, "does not accept a WebSocket"),
)


def words(error: Exception) -> str:
    """Return what an error of aiohttp or of a socket means."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    for kind, said in _WORDS:
        if isinstance(error, kind):
            return said
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be reached ({error.strerror})"
    return f"the connection failed ({type(error).__name__})"
