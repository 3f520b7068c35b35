"""Counters without locks, as Prometheus reads them."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from appliance.tally import Durations, Tally


def samples(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    text = generate_latest(registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_tally_is_a_counter() -> None:
    """By its labels, whose order is that of their names."""
    registry = CollectorRegistry()
    tally = Tally("met_total", "Met.", ["kind", "result"], registry)
    tally.labels("a", "hit").inc()
    tally.labels("a", "hit").inc(2)
    tally.labels("b", "miss").inc()
    assert {("met_total", "a", "hit"): 3, ("met_total", "b", "miss"): 1} == samples(registry)
    assert b"# TYPE met_total counter" in generate_latest(registry)


def test_durations_are_a_histogram() -> None:
    """A bound counts what took exactly so long, and all that took less."""
    registry = CollectorRegistry()
    durations = Durations("took_seconds", "Took.", "route", (0.1, 1.0), registry)
    for seconds in (0.05, 0.1, 0.5, 2.0):
        durations.labels("/x").observe(seconds)
    assert {
        ("took_seconds_bucket", "0.1", "/x"): 2,
        ("took_seconds_bucket", "1.0", "/x"): 3,
        ("took_seconds_bucket", "+Inf", "/x"): 4,
        ("took_seconds_count", "/x"): 4,
        ("took_seconds_sum", "/x"): 2.65,
    } == {
        (name, *sorted(labels, key=lambda text: text == "/x")): value
        for (name, *labels), value in samples(registry).items()
    }
