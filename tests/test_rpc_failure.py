"""Network errors in words that hold no URL."""

import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from yarl import URL

from appliance.rpc.failure import words

KEY = "0123456789abcdef"
AT: Any = SimpleNamespace(host="node", port=1, ssl=True)
INFO: Any = SimpleNamespace(real_url=URL(f"ws://node/{KEY}"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), "no answer in time"),
        (aiohttp.ServerTimeoutError(), "no answer in time"),
        (aiohttp.ServerDisconnectedError(), "closed the connection"),
        (aiohttp.ClientPayloadError(KEY), "the answer is cut off"),
        (aiohttp.ClientConnectorDNSError(AT, OSError(KEY)), "the host is not known"),
        (
            aiohttp.ClientConnectorCertificateError(AT, ssl.CertificateError(KEY)),
            "the certificate is not accepted",
        ),
        (aiohttp.ClientConnectorSSLError(AT, OSError(KEY)), "no TLS connection comes about"),
        (
            aiohttp.ClientConnectorError(AT, ConnectionRefusedError(111, "Connection refused")),
            "cannot be reached (Connection refused)",
        ),
        (aiohttp.WSServerHandshakeError(INFO, ()), "does not accept a WebSocket"),
        (aiohttp.InvalidURL(f"http://{KEY}"), "the connection failed (InvalidURL)"),
        (OSError(KEY), "the connection failed (OSError)"),
    ],
)
def test_errors_in_words(error: Exception, expected: str) -> None:
    assert expected == words(error)
    assert KEY not in words(error)
