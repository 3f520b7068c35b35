"""Every way in which a node can fail us; the class says what helps.

RpcError                 asking again may help, now or elsewhere
├── RangeTooWide             a narrower range of blocks
├── TooManyResults           a narrower range: there are too many logs in it, or too many bytes
├── RateLimited              waiting, or another endpoint
├── Unavailable              another endpoint, or waiting: network, time-out, HTTP 5xx, cut answer
│   └── Missing                  another endpoint: this one lacks the block or the state
├── Rejected                 another question: unknown method, wrong parameters, reverted call
└── Nonsense                 another endpoint: well formed, but no answer to what was asked

Providers word these in their own ways, so `classify` reads the sentence first and the code after.
"""

import re
from typing import Final

from appliance.errors import Retryable
from appliance.rpc import wordings

_LIMIT_EXCEEDED: Final = -32005
_RATE_CODES: Final = frozenset({429, -32007, -32016, -32029, -32090, -32097})
_RANGE_CODES: Final = frozenset({35, -32012, -32047, -32614, -32701})
_REJECTED_CODES: Final = frozenset({3, -32700, -32600, -32601, -32602, -32604, -32004, -32006})
_MISSING_CODES: Final = frozenset({4444, -32001, -39001})


class RpcError(Retryable):
    """A node did not give a usable answer; the message names the endpoint, never its URL."""


class RangeTooWide(RpcError):
    """Fewer blocks, please. `width` and `span` (first and last block) are the node's advice."""

    def __init__(
        self, message: str, width: int | None = None, span: tuple[int, int] | None = None
    ) -> None:
        """Keep the advice; None where the node gave none."""
        super().__init__(message)
        self.width = width
        self.span = span


class TooManyResults(RpcError):
    """Fewer logs, please. `span` (first and last block) is the node's advice, None without."""

    def __init__(self, message: str, span: tuple[int, int] | None = None) -> None:
        """Keep the advice."""
        super().__init__(message)
        self.span = span


class RateLimited(RpcError):
    """Slower, please. `retry_after_s` is what the node asks for, None when it does not say."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Keep how long to wait."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(RpcError):
    """No answer, or only a part of one."""


class Missing(Unavailable):
    """The node is well but lacks the block or its state: behind, pruned, or reorganised away."""


class Rejected(RpcError):
    """The node understood, and will not do it."""


class Nonsense(RpcError):
    """The answer is well formed, and does not answer the question."""


_OTHER_WORDS: Final[tuple[tuple[re.Pattern[str], type[RpcError]], ...]] = (
    (wordings.REVERTED, Rejected),
    (wordings.MISSING, Missing),
    (wordings.REJECTED, Rejected),
    (wordings.UNAVAILABLE, Unavailable),
)


def classify(code: object, message: object, data: object = None) -> RpcError:
    """Return the error that a JSON-RPC error object means, with the advice found in its words."""
    text = wordings.text(message, data)
    said = text.lower()
    known = code if isinstance(code, int) else 0
    shown = wordings.shown(text, known)
    if wordings.RATE.search(said):
        return RateLimited(shown, wordings.retry_after_s(said))
    if wordings.BEYOND.search(said):
        return Missing(shown)
    if wordings.RESULTS.search(said):
        return TooManyResults(shown, wordings.span(said))
    if wordings.RANGE.search(said):
        return RangeTooWide(shown, wordings.width(said), wordings.span(said))
    kind = next((kind for pattern, kind in _OTHER_WORDS if pattern.search(said)), None)
    return kind(shown) if kind else _by_code(known, said, shown)


def _by_code(code: int, said: str, shown: str) -> RpcError:
    """Return what the code alone means; for one that nobody knows, another node may help."""
    if code in _RATE_CODES:
        return RateLimited(shown, wordings.retry_after_s(said))
    if code in _RANGE_CODES:
        return RangeTooWide(shown, wordings.width(said), wordings.span(said))
    if code == _LIMIT_EXCEEDED:
        return TooManyResults(shown, wordings.span(said))
    if code in _MISSING_CODES:
        return Missing(shown)
    return Rejected(shown) if code in _REJECTED_CODES else Unavailable(shown)
