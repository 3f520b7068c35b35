"""The line to one endpoint: how a question travels, at which rate, and what it is counted as.

In: a method, its parameters, and how to read the result. Out: the result, or an RpcError whose
message begins with the endpoint's name and holds no part of its URL. Slow and refused requests
change the endpoint's rate here.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from appliance.metrics import Metrics
from appliance.rpc import answer
from appliance.rpc.errors import Nonsense, RangeTooWide, RateLimited, RpcError, TooManyResults
from appliance.rpc.rate import LOCAL, PUBLIC, Rate, Waiting
from appliance.rpc.url import hide, keys, local

if TYPE_CHECKING:
    from appliance.rpc.provider import Provider

T = TypeVar("T")
GET_LOGS: Final = "eth_getLogs"
_BIG: Final = 1_000_000
"""Bytes; decoding more takes longer than the event loop should stand still."""
_SMOOTHING: Final = 0.2
"""The weight of the newest request in the latency."""


def _import_politely(name: str) -> None:
    """Import a module that comes with web3, and undo what it does to the whole process.

    py_ecc lets Python recurse 100,000 deep, at which a request of deeply nested JSON overflows the
    stack and ends the process. It does so when it is first imported, so that is done here, in
    milliseconds and without letting anything else run in between.
    """
    limit = sys.getrecursionlimit()
    with suppress(ImportError):
        import_module(name)
    sys.setrecursionlimit(limit)


class Line:
    """One endpoint's line. `latency_s` is that of small questions, 0.0 before the first."""

    def __init__(
        self, url: str, name: str, metrics: Metrics, timeout_s: float, waiting: Waiting | None
    ) -> None:
        """`name` stands for the URL in everything that is shown."""
        self.limits = LOCAL if local(url) else PUBLIC
        self.rate = Rate(self.limits, waiting)
        self.latency_s = 0.0
        self._name = name
        self._url = url
        self._keys = keys(url)
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._opened: Provider | None = None

    async def open(self) -> None:
        """Make the session; nothing is sent yet. web3 is imported by the first one, in a thread."""
        _import_politely("py_ecc")
        module = await asyncio.to_thread(import_module, "appliance.rpc.provider")
        if self._opened is None:
            self._opened = module.Provider(self._url, self._timeout_s, self.limits.concurrency)

    async def close(self) -> None:
        """Close the connections. Calling it again does nothing."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.disconnect()

    async def ask(
        self, method: str, params: Sequence[object], read: Callable[[msgspec.Raw], T]
    ) -> T | None:
        """Return the result as `read` reads it, None for null."""
        number, body = self._provider.request(method, params)

        def understood(reply: answer.Reply) -> T | None:
            return answer.single(reply, number, time.time(), read)

        return await self._exchange(method, 1, body, understood)

    async def ask_many(
        self, method: str, many: Sequence[Sequence[object]], read: Callable[[msgspec.Raw], T]
    ) -> list[T | None]:
        """Return the results of one batch, in order. The first error of a call is that of all."""
        requests = [self._provider.request(method, params) for params in many]
        numbers = [number for number, _ in requests]
        body = b"[" + b",".join(request for _, request in requests) + b"]"

        def understood(reply: answer.Reply) -> list[T | None]:
            return answer.batch(reply, numbers, time.time(), read)

        return await self._exchange(method, len(many), body, understood)

    def nonsense(self, said: str) -> Nonsense:
        """Return the error for an answer that does not fit its question, and count it."""
        self._metrics.rpc_errors.labels(self._name, Nonsense.__name__).inc()
        return Nonsense(f"{self._name}: {said}")

    @property
    def _provider(self) -> "Provider":
        if self._opened is None:
            raise RuntimeError(f"{self._name}: open() comes first")
        return self._opened

    async def _exchange(
        self, method: str, calls: int, body: bytes, understood: Callable[[answer.Reply], T]
    ) -> T:
        """Send `body` when it is its turn, and return the answer as it is understood."""
        async with self.rate.turn(calls) as began:
            with self._told(method, calls, began):
                reply = await self._provider.send(body)
                self._measure(method, self.rate.now() - began)
                if len(reply.body) > _BIG:
                    found = await asyncio.to_thread(understood, reply)
                else:
                    found = understood(reply)
            self.rate.answered()
            return found

    def _measure(self, method: str, taken_s: float) -> None:
        self._metrics.rpc_seconds.labels(self._name, method).observe(taken_s)
        if method != GET_LOGS:  # their time tells of the question, not of the way
            old = self.latency_s or taken_s
            self.latency_s = old + _SMOOTHING * (taken_s - old)

    @contextmanager
    def _told(self, method: str, calls: int, began: float) -> Iterator[None]:
        """Count the request and its error, slow down if told so, and name the endpoint."""
        self._metrics.rpc_requests.labels(self._name, method).inc(calls)
        try:
            yield
        except RpcError as found:
            error: RpcError = found
            if isinstance(error, RangeTooWide | TooManyResults) and method != GET_LOGS:
                error = _not_narrower(error, calls)
            if isinstance(error, RateLimited):
                self.rate.refused(began, error.retry_after_s)
            self._metrics.rpc_errors.labels(self._name, type(error).__name__).inc()
            error.args = (f"{self._name}: {method}: {hide(str(error), self._keys)}",)
            raise error from None


def _not_narrower(error: RpcError, calls: int) -> RpcError:
    """Return what a limit on size means where no range was asked: a batch may shrink, one call not.

    "Limit exceeded" for one small question is a limit on how often it may be asked.
    """
    return error if calls > 1 else RateLimited(str(error))
