"""Counters for what happens thousands of times a second on the event loop, and nowhere else.

The library's own take a lock for each number, in case that threads share it: counting one request
would take as long as finding its answer. These look the same from outside.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Count:
    """How often something happened."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Begin with nothing."""
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Add to it."""
        self.value += amount


class Tally(Collector):
    """A counter with labels."""

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str], registry: CollectorRegistry
    ) -> None:
        """Register a counter; `name` ends in `_total`."""
        self._family: Final = (name, help_text)
        self._labels = labels
        self._counts: dict[tuple[str, ...], Count] = {}
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """Return what counts these; keep it, finding it takes longer than counting."""
        return self._counts.setdefault(values, Count())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counter as the registry wants it."""
        family = CounterMetricFamily(*self._family, labels=self._labels)
        for values, count in sorted(self._counts.items()):
            family.add_metric(values, count.value)
        yield family


class Times:
    """How long something took."""

    __slots__ = ("_bounds", "counts", "total_s")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Count up to each of `bounds` (seconds, ascending), and beyond."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def observe(self, seconds: float) -> None:
        """Add one."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total_s += seconds


class Durations(Collector):
    """A histogram with one label."""

    def __init__(
        self,
        name: str,
        help_text: str,
        label: str,
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        """Register a histogram; `name` ends in `_seconds`."""
        self._family: Final = (name, help_text)
        self._label = label
        self._bounds = bounds
        self._times: dict[str, Times] = {}
        registry.register(self)

    def labels(self, value: str) -> Times:
        """Return what counts these; keep it."""
        return self._times.setdefault(value, Times(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram as the registry wants it, with cumulated counts."""
        family = HistogramMetricFamily(*self._family, labels=[self._label])
        for value, times in sorted(self._times.items()):
            reached, buckets = 0, []
            for bound, count in zip((*self._bounds, inf), times.counts, strict=True):
                reached += count
                buckets.append(("+Inf" if bound == inf else str(bound), float(reached)))
            family.add_metric([value], buckets, times.total_s)
        yield family
