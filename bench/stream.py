"""Live bars for thousands of WebSockets: latency, loss, CPU and memory; how many before 1 s.

The server, the load generator and the one who posts trades are three processes on the same cores;
each one's share is told. A latency is the time from a posted trade's acknowledgement to the arrival
of the bar that holds it, of every trade at every client; below 0, bars came first. The cost of a
socket write is the CPU of the server's event loop: `in traffic` less that of the same trades and
bars with one subscriber (too small a part to be told apart where writes are few), `hub alone` with
an event published to every stream; `bare` writes as many ready bytes to the same sockets.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.history import connect, free_port

CONNECTIONS: Final = int(os.environ.get("BENCH_CONNECTIONS", "2000"))
MORE: Final = tuple(map(int, os.environ.get("BENCH_MORE", "4000 6000 8000 10000").split()))
FIRST: Final = 100
"""Connections that are not counted: what the first ones cause once is not theirs."""
MARKETS: Final = 600
EACH: Final = 3
RATE: Final = 50
"""Trades per second, of all markets together."""
SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "75"))
"""More than a minute, so that bars close."""
ALONE_S: Final = 20.0
MORE_S: Final = 20.0
POSTERS: Final = 16
"""Connections that post in turn, as several may wait for an acknowledgement at a time."""
BARE_ROUNDS: Final = 20
BARE_TURNS: Final = 5
EVENT_BYTES: Final = 300
"""About what the event of a bar has."""
SPACING_S: Final = 0.1
KEY: Final = "bench-key-0123456789"
_HEADERS: Final = {"X-API-Key": KEY, "Content-Type": "application/x-ndjson"}
Floats = npt.NDArray[np.float64]


class Helper:
    """A process that takes commands and answers them, a JSON line each."""

    def __init__(self, script: str, *arguments: str, **variables: str) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(script)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("BENCH_LOG") else None,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | variables,
        )

    def ask(self, do: str, **options: Any) -> Any:
        """Return the answer to a command."""
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:
            raise RuntimeError("the process has no pipes")
        asked.write(json.dumps({"do": do, **options}) + "\n")
        asked.flush()
        line = answers.readline()
        if not line:
            raise RuntimeError(f"{do}: the process ended with {self._process.wait()}")
        return json.loads(line)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


@dataclass
class Posted:
    """Trades and when they were acknowledged, by market."""

    begun: float
    acks: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)


def run(folder: Path) -> None:
    """Print a table for each of the two spreads, then the largest number of connections."""
    port = free_port()
    variables = {"PORT": str(port), "DATA_DIR": str(folder / "served"), "DEMO": "off"}
    server = Helper("stream_server.py", API_KEYS=KEY, WS_MAX_CONNECTIONS="100000", **variables)
    load = Helper("stream_load.py", str(port))
    bench = Bench(server, load, port, folder)
    try:
        connect(port)
        bench.fill()
        bench.memory()
        bench.show(f"{CONNECTIONS:,} on the same {EACH} markets", EACH)
        bench.show(f"{CONNECTIONS:,} on {EACH} of {MARKETS} markets each", MARKETS)
        bench.largest()
    finally:
        load.stop()
        server.stop()


class Bench:
    """The steps of the benchmark."""

    def __init__(self, server: Helper, load: Helper, port: int, folder: Path) -> None:
        """Use what runs already."""
        self.server, self.load, self.port, self.folder = server, load, port, folder

    def fill(self) -> None:
        """Give every market its first trade."""
        lines = [_trade(f"M{i}", time.time_ns() // 1000) for i in range(MARKETS)]
        _post(connect(self.port), "".join(lines).encode())

    def memory(self) -> None:
        """Connect, subscribe, and print the resident bytes for each connection."""
        self.load.ask("connect", clients=FIRST)
        before = self.server.ask("cpu")["bytes"]
        self.load.ask("connect", clients=CONNECTIONS)
        self.load.ask("subscribe", markets=MARKETS, each=EACH)
        time.sleep(8)
        after = self.server.ask("cpu")["bytes"]
        self.load.ask("unsubscribe")
        each = (after - before) / (CONNECTIONS - FIRST)
        print(f"memory of an idle connection with {EACH} subscriptions: {each / 1000:.1f} kB")

    def _alone(self, markets: int) -> dict[str, float]:
        """Return the server's CPU for each second of trades whose bars one client follows."""
        self.load.ask("subscribe", markets=markets, each=markets, clients=1)
        time.sleep(8)
        before = self.server.ask("cpu")
        self._trades(markets, ALONE_S)
        after = self.server.ask("cpu")
        self.load.ask("unsubscribe")
        return {name: (after[name] - before[name]) / ALONE_S for name in ("cpu_s", "loop_s")}

    def show(self, title: str, markets: int) -> None:
        """Run trades on so many markets and print what became of them."""
        alone = self._alone(markets)
        self.load.ask("subscribe", markets=markets, each=EACH)
        time.sleep(5)
        measured = self._measure(markets, SECONDS)
        writes = measured["writes"]
        traffic_us = (measured["loop_s"] - alone["loop_s"] * SECONDS) / writes * 1e6
        print(f"\n{title}, {RATE} trades/s, {SECONDS:.0f} s\n  {_latencies(measured)}")
        print(f"  {measured['problems']}")
        print(f"  {_shares(measured, SECONDS)} (trades and bars alone {alone['cpu_s']:.2f})")
        size = measured["bytes"] // writes
        print(f"  {writes:,} writes of {size} bytes in traffic: {traffic_us:.1f} µs each")
        print(f"  {self._fan_out()}")
        self.load.ask("unsubscribe")

    def _fan_out(self) -> str:
        """Return the cost of a write by the hub alone and by a bare loop, measured in turns."""
        how = {"rounds": BARE_ROUNDS, "spacing_s": SPACING_S}
        hub_us, bare_us = [], []
        for _ in range(BARE_TURNS):
            hub = self.server.ask("fan_out", size=EVENT_BYTES, **how)
            size = EVENT_BYTES * EACH + 4 * EACH
            bare = self.server.ask("bare", size=size, **how)
            hub_us.append(hub["loop_s"] / hub["writes"] * 1e6)
            bare_us.append(bare["loop_s"] / bare["writes"] * 1e6)
        ours, theirs = statistics.median(hub_us), statistics.median(bare_us)
        return f"hub alone {ours:.1f} µs, bare {theirs:.1f} µs, ratio {ours / theirs:.2f}"

    def largest(self) -> None:
        """Connect more and more clients to the same markets until p99 passes 1 s."""
        print(
            f"\nmore connections on the same {EACH} markets, {RATE} trades/s, {MORE_S:.0f} s each"
        )
        for clients in MORE:
            self.load.ask("connect", clients=clients)
            self.load.ask("subscribe", markets=EACH, each=EACH)
            time.sleep(5)
            measured = self._measure(EACH, MORE_S)
            print(f"{clients:,}: {_latencies(measured)}")
            print(f"  {measured['problems']}\n  {_shares(measured, MORE_S)}")
            if np.percentile(measured["latencies"], 99) > 1.0:
                break

    def _measure(self, markets: int, seconds: float) -> dict[str, Any]:
        self.load.ask("record")
        before = self.server.ask("cpu"), self.load.ask("cpu")
        own = time.process_time()
        posted = self._trades(markets, seconds)
        time.sleep(2.5)  # the last bars, and those that close
        after = self.server.ask("cpu"), self.load.ask("cpu")
        path = self.folder / "received.npz"
        told = self.load.ask("save", path=str(path))
        received = Received(path)
        return {
            "latencies": received.latencies(posted),
            "problems": received.problems(markets, self.port),
            "server_s": after[0]["cpu_s"] - before[0]["cpu_s"],
            "loop_s": after[0]["loop_s"] - before[0]["loop_s"],
            "load_s": after[1]["cpu_s"] - before[1]["cpu_s"],
            "poster_s": time.process_time() - own,
            "writes": told["receives"],
            "bytes": told["bytes"],
            "took": posted.took,
        }

    def _trades(self, markets: int, seconds: float) -> Posted:
        posted = Posted(time.perf_counter() + 0.2)
        threads = [
            threading.Thread(target=self._post, args=(posted, i, markets, seconds))
            for i in range(POSTERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return posted

    def _post(self, posted: Posted, poster: int, markets: int, seconds: float) -> None:
        """Post each trade whose turn is this poster's; all posters together begin now."""
        connection = connect(self.port)
        begun = posted.begun
        for number in range(poster, round(seconds * RATE), POSTERS):
            time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
            market = number % markets
            time_us = time.time_ns() // 1000
            sent = time.perf_counter()
            _post(connection, _trade(f"M{market}", time_us).encode())
            acknowledged = time.perf_counter()
            posted.acks.setdefault(f"M{market}", []).append((time_us, acknowledged))
            posted.took.append(acknowledged - sent)


class Received:
    """What all clients received, as columns."""

    def __init__(self, path: Path) -> None:
        """Read what the load generator wrote."""
        with np.load(path) as columns:
            self.who, self.what, self.when = (columns[name] for name in ("who", "what", "when"))
        bars = [json.loads(text) for text in Path(f"{path}.texts").read_bytes().splitlines()]
        self.bars = [bar.get("k") for bar in bars]
        known = np.array([bar is not None for bar in self.bars], bool)[self.what]
        self.who, self.what, self.when = (c[known] for c in (self.who, self.what, self.when))
        self.last = np.array([bar["L"] if bar else 0 for bar in self.bars], np.int64)
        self.market = np.array([int(bar["s"][1:]) if bar else -1 for bar in self.bars], np.int64)

    def latencies(self, posted: Posted) -> Floats:
        """Return the seconds from each trade's acknowledgement to each client that watches it."""
        group = self.who.astype(np.int64) * MARKETS + self.market[self.what]
        order = np.argsort(group, kind="stable")
        group, last, when = group[order], self.last[self.what][order], self.when[order]
        # the newest trade so far: a bar that closes comes after the first trades of the next one
        is_first = np.diff(group, prepend=-1) != 0
        oldest, span = last.min(), np.ptp(last) + 1
        offsets = np.cumsum(is_first) * span
        last = np.maximum.accumulate(last - oldest + offsets) - offsets + oldest
        before = np.where(is_first, 0, np.roll(last, 1))
        found = []
        for name, acks in posted.acks.items():
            sequences, at = (np.array(column) for column in zip(*sorted(acks), strict=True))
            mine = np.flatnonzero(group % MARKETS == int(name[1:]))
            low = np.searchsorted(sequences, before[mine], "right")
            high = np.searchsorted(sequences, last[mine], "right")
            counts = np.maximum(high - low, 0)
            starts = np.repeat(low, counts)
            steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            found.append(np.repeat(when[mine], counts) - at[starts + steps])
        return np.concatenate(found)

    def problems(self, markets: int, port: int) -> str:
        """Return whether every client got every closed bar once and each bar's last state."""
        newest: dict[tuple[int, int], int] = {}
        closed: dict[tuple[int, int], int] = {}
        for number, bar in enumerate(self.bars):
            if bar:
                key = int(bar["s"][1:]), bar["t"]
                if key not in newest or self.last[number] >= self.last[newest[key]]:
                    newest[key] = number
                if bar["x"]:
                    closed[key] = number
        watchers = {m: set() for m in range(markets)}  # type: dict[int, set[int]]
        for m in range(markets):
            watchers[m] = set(np.unique(self.who[self.market[self.what] == m]).tolist())
        counts = {
            number: np.bincount(self.who[self.what == number], minlength=1)
            for number in {*newest.values(), *closed.values()}
        }
        lost = doubled = unequal = 0
        for key, number in {**newest, **closed}.items():
            for watched in (number, closed.get(key, number)):
                each = counts[watched]
                have = [int(each[c]) if c < len(each) else 0 for c in watchers[key[0]]]
                lost += sum(n == 0 for n in have)
                doubled += sum(n > 1 for n in have) if watched == closed.get(key) else 0
        unequal = sum(not _is_stored(self.bars[number], port) for number in closed.values())
        return (
            f"{len(closed)} closed and {len(newest)} last bars: {lost} missed by a client, "
            f"{doubled} closed ones doubled, {unequal} unlike the store's"
        )


def _is_stored(bar: dict[str, Any], port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    path = f"/api/v3/klines?symbol={bar['s']}&interval=1m&startTime={bar['t']}&endTime={bar['t']}"
    connection.request("GET", path)
    (row,) = json.loads(connection.getresponse().read())
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")
    return list(row[:11]) == [bar[name] for name in names]


def _latencies(measured: dict[str, Any]) -> str:
    latencies, took = measured["latencies"], measured["took"]
    p50, p99, worst = np.percentile(latencies, [50, 99, 100]) * 1e3
    acknowledged = np.percentile(took, [50, 99]) * 1e3
    return (
        f"{len(latencies):,} latencies: median {p50:.0f} ms, p99 {p99:.0f}, most {worst:.0f}; "
        f"inserts acknowledged in {acknowledged[0]:.0f} ms, p99 {acknowledged[1]:.0f}"
    )


def _shares(measured: dict[str, Any], seconds: float) -> str:
    shares = {name: measured[f"{name}_s"] / seconds for name in ("server", "load", "poster")}
    return "cores: " + ", ".join(f"{name} {share:.2f}" for name, share in shares.items())


def _trade(symbol: str, time_us: int) -> str:
    price = 2_000 + time_us // 1000 % 10_007 / 100
    return (
        f'{{"symbol":"{symbol}","time":{time_us},"price":{price},"size":"0.25","id":"{time_us}"}}\n'
    )


def _post(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/api/trades", body, _HEADERS)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"trades were answered {answer.status}: {text[:200]!r}")
