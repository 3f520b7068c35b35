"""Metrics: names, units, help, and one registry for each appliance."""

import re

from prometheus_client.parser import text_string_to_metric_families

from appliance.metrics import Metrics

UNITS = ("_total", "_seconds", "_rows", "_count", "_bytes", "_blocks")


def test_names_tell_the_product_and_the_unit() -> None:
    for metric in Metrics().registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        assert re.fullmatch(r"appliance_[a-z_]+", name)
        assert name.endswith(UNITS)
        assert metric.documentation.endswith(".")


def test_the_text_is_what_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.trades_accepted.labels("import").inc(5)
    metrics.trades_stored.set(7)
    metrics.query_seconds.labels("select_candles").observe(0.003)
    text = metrics.text().decode()
    assert list(text_string_to_metric_families(text))
    for line in (
        'appliance_ingest_trades_total{source="import"} 5.0',
        "appliance_store_trades_count 7.0",
        'appliance_query_seconds_bucket{le="0.0025",query="select_candles"} 0.0',
        'appliance_query_seconds_bucket{le="0.005",query="select_candles"} 1.0',
    ):
        assert line in text.splitlines()


def test_every_appliance_counts_for_itself() -> None:
    """Tests, and `appliance get` beside a server's code, build as many as they like."""
    one, other = Metrics(), Metrics()
    one.socket_messages.inc()
    assert b"appliance_socket_messages_total 1.0" in one.text()
    assert b"appliance_socket_messages_total 0.0" in other.text()
