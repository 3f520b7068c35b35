"""Every metric, declared once; names end in units.

One registry per process object, so that tests build as many as they like.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from appliance.tally import Durations, Tally

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters, gauges and histograms of one appliance."""

    def __init__(self) -> None:
        """Declare every metric with its help text."""
        r = self.registry = CollectorRegistry()
        self.trades_accepted = Counter(
            "appliance_ingest_trades_total", "Trades stored.", ["source"], registry=r
        )
        self.trades_duplicate = Counter(
            "appliance_ingest_duplicates_total", "Trades already stored.", ["source"], registry=r
        )
        self.batches_refused = Counter(
            "appliance_ingest_refused_total", "Batches refused, by error.", ["error"], registry=r
        )
        self.commit_seconds = Histogram(
            "appliance_ingest_commit_seconds",
            "Time of one group commit.",
            buckets=_FAST,
            registry=r,
        )
        self.commit_rows = Histogram(
            "appliance_ingest_commit_rows",
            "Rows of one group commit.",
            buckets=(1, 10, 100, 1_000, 10_000, 100_000),
            registry=r,
        )
        self.trades_stored = Gauge(
            "appliance_store_trades_count", "Trades in the store.", registry=r
        )
        self.disk_free = Gauge(
            "appliance_disk_free_bytes", "Free space where the store is.", registry=r
        )
        self.query_seconds = Histogram(
            "appliance_query_seconds", "Time of one query.", ["query"], buckets=_FAST, registry=r
        )
        self.query_errors = Counter(
            "appliance_query_errors_total", "Queries that failed.", ["query"], registry=r
        )
        self.cache_lookups = Tally(
            "appliance_cache_lookups_total", "Cache look-ups.", ["cache", "result"], registry=r
        )
        self.cache_bytes = Gauge(
            "appliance_cache_bytes",
            "Size of what is cached, by level (memory: chunks of candles; answers: ready answers).",
            ["level"],
            registry=r,
        )
        self.cache_evictions = Counter(
            "appliance_cache_evictions_total",
            "What a level had no room for any more.",
            ["level"],
            registry=r,
        )
        self.cache_dropped = Counter(
            "appliance_cache_dropped_total",
            "Chunks of candles that trades, retractions or repairs made untrue.",
            registry=r,
        )
        self.sockets_open = Gauge(
            "appliance_sockets_open_count",
            "Open connections of live streams: WebSockets and server-sent events.",
            registry=r,
        )
        self.socket_messages = Counter(
            "appliance_socket_messages_total", "Messages sent on live streams.", registry=r
        )
        self.socket_writes = Counter(
            "appliance_socket_writes_total",
            "Writes that carried these messages; one may carry many.",
            registry=r,
        )
        self.socket_conflated = Counter(
            "appliance_socket_conflated_total",
            "States of forming bars and tickers that a newer one replaced before they were sent.",
            registry=r,
        )
        self.streams_resumed = Counter(
            "appliance_streams_resumed_total",
            "Streams that a client came back to: recovered, or with something missing.",
            ["outcome"],
            registry=r,
        )
        self.sockets_closed = Counter(
            "appliance_sockets_closed_total",
            "Connections of live streams closed by the server, by close code.",
            ["code"],
            registry=r,
        )
        self.http_requests = Tally(
            "appliance_http_requests_total",
            "Requests answered.",
            ["route", "method", "status"],
            registry=r,
        )
        self.http_seconds = Durations(
            "appliance_http_request_seconds",
            "Time to answer a request.",
            "route",
            _FAST,
            registry=r,
        )
        self.rpc_requests = Counter(
            "appliance_rpc_requests_total",
            "Calls to the nodes of a chain; every call of a batch counts.",
            ["endpoint", "method"],
            registry=r,
        )
        self.rpc_errors = Counter(
            "appliance_rpc_errors_total",
            "Requests to a node without a usable answer, by what was wrong.",
            ["endpoint", "error"],
            registry=r,
        )
        self.rpc_seconds = Histogram(
            "appliance_rpc_request_seconds",
            "Time of one request to a node, its turn in the queue not counted.",
            ["endpoint", "method"],
            buckets=(*_FAST, 30.0),
            registry=r,
        )
        self.chain_head = Gauge(
            "appliance_chain_head_count", "Newest block that the nodes have.", ["chain"], registry=r
        )
        self.chain_block = Gauge(
            "appliance_chain_block_count", "Newest processed block.", ["chain"], registry=r
        )
        self.chain_lag = Gauge(
            "appliance_chain_lag_seconds",
            "Chain time from the newest processed block to the head.",
            ["chain"],
            registry=r,
        )
        self.chain_reorgs = Counter(
            "appliance_chain_reorgs_total",
            "Times that blocks were retracted.",
            ["chain"],
            registry=r,
        )
        self.chain_reorg_depth = Histogram(
            "appliance_chain_reorg_depth_blocks",
            "Blocks retracted at a time.",
            ["chain"],
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 1_024),
            registry=r,
        )
        self.chain_logs = Counter(
            "appliance_chain_logs_total",
            "Logs read: decoded, ignored, foreign or malformed.",
            ["chain", "outcome"],
            registry=r,
        )

    def text(self) -> bytes:
        """Return all metrics in Prometheus text form."""
        return generate_latest(self.registry)
