"""Read what a node sent: the result that was asked for, or the error that it means.

In: HTTP status, headers and body. Out: results as raw JSON, or an RpcError. No I/O. A body is
believed only when it is whole, is JSON-RPC and carries the id of the question.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import msgspec

from appliance.rpc import wordings
from appliance.rpc.errors import (
    Nonsense,
    RangeTooWide,
    RateLimited,
    Rejected,
    RpcError,
    TooManyResults,
    Unavailable,
    classify,
)

T = TypeVar("T")
_NOTHING: Final = msgspec.Raw(b"")
_NULL: Final = b"null"
_REASONS: Final = {
    400: "refuses the request (HTTP 400)",
    401: "refuses the key (HTTP 401)",
    402: "wants to be paid (HTTP 402)",
    403: "refuses the key (HTTP 403)",
    404: "has no JSON-RPC at this path (HTTP 404)",
}
_PLAIN: Final = 500
"""Bytes of a body without JSON that are read as a sentence."""
_REJECTED: Final = (400, 405, 415, 422)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came over HTTP; `retry_after` is the header, None without one."""

    status: int
    body: bytes
    retry_after: str | None = None


class _Envelope(msgspec.Struct):
    """An answer; `code` and `message` are where gateways put an error that is no JSON-RPC."""

    id: Any = None
    result: msgspec.Raw = _NOTHING
    error: Any = None
    code: Any = None
    message: Any = None

    def fault(self) -> RpcError | None:
        """Return the error that this answer is, None when it is none."""
        if isinstance(self.error, dict) and self.error:
            error = self.error
            return classify(error.get("code"), error.get("message"), error.get("data"))
        if self.error:
            return classify(self.code, self.error, self.message)
        if self.message and self.result == _NOTHING:
            return classify(self.code, self.message)
        return None


_SINGLE: Final = msgspec.json.Decoder(_Envelope)
_BATCH: Final = msgspec.json.Decoder(list[_Envelope])


def single(reply: Reply, number: int, now: float, read: Callable[[msgspec.Raw], T]) -> T | None:
    """Return the result of call `number` as `read` reads it, None for null; or raise an RpcError.

    `now` is unix time, for a Retry-After that is a date.
    """
    _refuse(reply, now)
    return _read(_checked(_decoded(reply.body, _SINGLE), number), read)


def batch(
    reply: Reply, numbers: Sequence[int], now: float, read: Callable[[msgspec.Raw], T]
) -> list[T | None]:
    """Return the results of the calls `numbers` in this order, or raise the first one's RpcError.

    Raise Rejected when the node answers the whole batch with one error: smaller ones may do.
    """
    _refuse(reply, now)
    if reply.body.lstrip()[:1] == b"{":
        _refuse_batch(_decoded(reply.body, _SINGLE))
    found = {str(envelope.id): envelope for envelope in _decoded(reply.body, _BATCH)}
    for envelope in found.values():
        if fault := envelope.fault():
            raise fault
    if missing := [number for number in numbers if str(number) not in found]:
        raise Nonsense(f"{len(missing)} of {len(numbers)} answers of a batch are missing")
    return [_read(_checked(found[str(number)], number), read) for number in numbers]


def retry_after_s(header: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header means; None without one that makes sense."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _refuse(reply: Reply, now: float) -> None:
    """Raise the error that the HTTP status means, unless it is a success."""
    status = reply.status
    if 200 <= status < 300:
        return
    error = _error_in(reply.body)
    if status == 429:
        said = str(error) if error else "too many requests (HTTP 429)"
        wait = retry_after_s(reply.retry_after, now)
        raise RateLimited(said, getattr(error, "retry_after_s", None) if wait is None else wait)
    if error:
        raise error
    if status == 413:
        raise TooManyResults("the answer would be too large (HTTP 413)")
    if 300 <= status < 400:
        raise Unavailable(f"redirects elsewhere (HTTP {status}): give the final URL")
    kind = Rejected if status in _REJECTED else Unavailable
    raise kind(_REASONS.get(status, f"does not answer (HTTP {status})"))


def _error_in(body: bytes) -> RpcError | None:
    """Return the error in the body of a failed request, None when there is none to be read."""
    try:
        return _SINGLE.decode(body).fault()
    except msgspec.DecodeError:
        pass
    said = body[:_PLAIN].decode(errors="replace").strip()
    error = None if said.startswith("<") else classify(None, said)
    return error if isinstance(error, RangeTooWide | TooManyResults | RateLimited) else None


def _decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise Nonsense("the answer is JSON, but not a JSON-RPC answer") from None
    except msgspec.DecodeError:
        start = body.lstrip()[:1]
        what = "cut off or damaged" if start in {b"{", b"["} else "not JSON"
        raise Unavailable(f"the answer is {what}" if body else "the answer is empty") from None


def _checked(envelope: _Envelope, number: int) -> msgspec.Raw:
    """Return the raw result. An error counts with any id: some nodes lose the id then."""
    if fault := envelope.fault():
        raise fault
    if str(envelope.id) != str(number):
        raise Nonsense(
            f"the answer's id must be {number}, was {wordings.shown(str(envelope.id), 0)}"
        )
    if envelope.result == _NOTHING:
        raise Nonsense("the answer has neither a result nor an error")
    return envelope.result


def _read(raw: msgspec.Raw, read: Callable[[msgspec.Raw], T]) -> T | None:
    if bytes(raw) == _NULL:
        return None
    try:
        return read(raw)
    except (msgspec.DecodeError, ValueError) as error:
        raise Nonsense(f"the result is not of its kind: {wordings.shown(str(error), 0)}") from None


def _refuse_batch(envelope: _Envelope) -> None:
    fault = envelope.fault() or Nonsense("a batch was answered as if it were one call")
    raise fault if isinstance(fault, Nonsense | RateLimited) else Rejected(str(fault))
