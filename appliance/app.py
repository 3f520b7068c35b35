"""Build every part once, start them in order, stop them in reverse.

The one place where objects are made and handed to those who need them.
"""

import asyncio
import gc
import logging
import os
import socket
import time
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import Any, Final

from sanic import Sanic

from appliance import offline, running
from appliance.cache.cache import cache_of
from appliance.caretaker import Caretaker, DamageState, DiskState
from appliance.datafeed import Datafeed
from appliance.directory import Directory
from appliance.errors import ConfigError, StoreLocked
from appliance.following.chains import configured
from appliance.following.presets import Presets
from appliance.following.source import Around, ChainSource
from appliance.heads import Heads
from appliance.ingest import Ingest
from appliance.metrics import Metrics
from appliance.pages import Pages
from appliance.positions import Positions
from appliance.pushed.book import Book
from appliance.pushed.service import Pushed
from appliance.schedule import Schedule
from appliance.settings import Settings
from appliance.signals import Ending
from appliance.sources import DemoSource
from appliance.statistics.windows import Windows
from appliance.status import PartState, Status
from appliance.store.backup import SERVER, Backups
from appliance.store.store import Store
from appliance.streaming.hub import Hub
from appliance.streaming.limits import Limits
from appliance.streaming.live import Live
from appliance.streaming.streams import Streams
from appliance.streaming.tickers import Tickers
from appliance.web import (
    admin,
    answers,
    backups,
    binance,
    charts,
    dashboard,
    demo,
    events,
    express,
    lightweight,
    ops,
    positions,
    quotes,
    sdk,
    security,
    sse,
    stream,
    trades,
    udf,
    verify,
    webhooks,
)
from appliance.web.parts import Parts
from appliance.web.request import Request
from appliance.web.socket import StreamProtocol

log = logging.getLogger(__name__)
App = Sanic[Any, Any]
STOP_S: Final = 10.0
"""How long open requests may take to end; with the store's close it stays below 15 s."""
_BACKLOG: Final = 1_024


@dataclass(frozen=True, slots=True)
class Appliance:
    """All parts of one running appliance."""

    settings: Settings
    server: running.Running
    store: Store
    ingest: Ingest
    streams: Streams
    demo: DemoSource | None
    chains: tuple[ChainSource, ...]
    pushed: Pushed
    parts: Parts


def build(settings: Settings, address: str = "") -> Appliance:
    """Make every part; nothing is opened or started yet.

    Raises:
        ConfigError: what is said of chains and contracts cannot be so.
    """
    server = running.announce(address)
    metrics = Metrics()
    ingest = Ingest(metrics)
    store = Store(settings, metrics, ingest.publish)
    heads = Heads()
    cache = cache_of(settings, metrics)
    datafeed = Datafeed(
        *(store.reader, store.writer, store.catalogue, metrics), heads=heads, cache=cache
    )
    hub = Hub(metrics, server.instance, Limits(connections=settings.ws_max_connections))
    live = Live(datafeed, hub, settings.close_grace_ms, heads=heads)
    windows = Windows(datafeed.summaries, store.reader, time.time)
    streams = Streams(store.catalogue, hub, live, Tickers(windows, store.catalogue, hub))
    status = Status(store, ingest, lambda: hub.connections)
    demo_source = None
    if settings.demo != "off":
        demo_source = DemoSource(store, datafeed, ingest, stays=settings.demo == "on")
    around = Around(settings, store, ingest, metrics, live.processed)
    terms = configured(settings)
    chains = tuple(ChainSource(t, around) for t in terms if t.rpc_urls)
    presets = Presets(settings.events_file)
    book = Book(terms, presets, presets.named(settings.preset, "PRESET"), store, chains)
    pushed = Pushed(book, store.reader, ingest, create=settings.auto_create_markets)
    parts = Parts(
        settings=settings,
        metrics=metrics,
        catalogue=store.catalogue,
        datafeed=datafeed,
        pages=Pages(store.reader, datafeed),
        positions=Positions(store.reader),
        directory=Directory(store.reader, store.catalogue, time.time),
        ingest=ingest,
        streams=streams,
        status=status,
        backups=Backups(settings, store),
        verifier=store.verifier,
        admin_token=server.token,
        instance=server.instance,
        demo=demo_source,
    )
    return Appliance(settings, server, store, ingest, streams, demo_source, chains, pushed, parts)


def create_app(appliance: Appliance) -> App:
    """Return the web application of these parts."""
    app = Sanic(f"appliance-{token_hex(4)}", request_class=Request, configure_logging=False)
    app.config.update(
        ACCESS_LOG=False,
        GRACEFUL_SHUTDOWN_TIMEOUT=STOP_S,
        KEEP_ALIVE_TIMEOUT=75,
        WEBSOCKET_MAX_SIZE=stream.MESSAGE_MAX,
    )
    answers.install(app, appliance.parts)
    security.install(app, appliance.parts)
    express.install(app, appliance.parts)
    for module in (udf, quotes, lightweight, positions, charts):
        app.blueprint(module.blueprint(appliance.parts))
    for module in (trades, admin, backups, verify, demo, ops, stream, sse, dashboard):
        app.blueprint(module.blueprint(appliance.parts))
    app.blueprint(binance.blueprint(appliance.parts, appliance.store.reader))
    app.blueprint(sdk.blueprint())
    for pushing in (events, webhooks):
        app.blueprint(pushing.blueprint(appliance.parts, appliance.pushed))
    return app


async def start(appliance: Appliance, stack: AsyncExitStack) -> None:
    """Start the parts that answer questions; what is started is stopped by `stack`, in reverse.

    The store is open already: what is wrong with it is told before there is a server.
    """
    stack.callback(appliance.store.close)
    appliance.parts.backups.clean()
    stack.callback(appliance.parts.backups.close)
    await appliance.parts.datafeed.open()
    stack.push_async_callback(appliance.parts.datafeed.close)
    appliance.ingest.open(appliance.store.writer)
    appliance.ingest.subscribe(appliance.parts.datafeed.on_commit)
    appliance.ingest.subscribe(appliance.parts.directory.on_commit)
    appliance.ingest.subscribe(appliance.streams.on_commit)
    appliance.parts.directory.start()
    stack.callback(appliance.parts.directory.close)
    streams = asyncio.create_task(appliance.streams.run(), name="streams")
    stack.push_async_callback(_cancel, streams)


def start_sources(appliance: Appliance, stack: AsyncExitStack) -> None:
    """Start what brings trades, once requests are accepted."""
    appliance.parts.status.sources.append(_StreamState(appliance.streams))
    _start_schedule(appliance, stack)
    _look_after(appliance, stack)
    for chain in appliance.chains:
        appliance.parts.status.sources.append(chain)
        chain.start()
        stack.push_async_callback(chain.stop)
    if appliance.demo is not None and _demo_wanted(appliance):
        appliance.parts.status.sources.append(appliance.demo)
        appliance.demo.start()
        stack.push_async_callback(appliance.demo.stop)


def _look_after(appliance: Appliance, stack: AsyncExitStack) -> None:
    """Start what looks after the store, and show what it finds."""
    caretaker = Caretaker(
        appliance.store,
        pruned=partial(_tell_pruned, appliance),
        verify_s=appliance.settings.verify_interval_s,
    )
    states = (DiskState(appliance.store), DamageState(appliance.store), caretaker)
    appliance.parts.status.sources += states
    task = asyncio.create_task(caretaker.run(), name="caretaker")
    stack.push_async_callback(_cancel, task)


def _tell_pruned(appliance: Appliance) -> None:
    appliance.parts.datafeed.pruned(appliance.store.candles_from)


def _start_schedule(appliance: Appliance, stack: AsyncExitStack) -> None:
    settings = appliance.settings
    if settings.backup_enabled and settings.store_path is None:
        log.warning("BACKUP_ENABLED: not used; %s", SERVER)
    elif settings.backup_enabled:
        schedule = Schedule(
            appliance.parts.backups, settings.backup_interval_s, settings.backup_retention_days
        )
        appliance.parts.status.sources.append(schedule)
        task = asyncio.create_task(schedule.run(), name="backup-schedule")
        stack.push_async_callback(_cancel, task)


def _demo_wanted(appliance: Appliance) -> bool:
    if appliance.settings.demo == "on":
        return True
    return not appliance.settings.chain_configured and appliance.store.catalogue.demo_only()


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # was logged when it happened; asking keeps asyncio from saying so again


@dataclass(frozen=True, slots=True)
class _StreamState:
    streams: Streams

    def state(self) -> PartState:
        return PartState("stream", *self.streams.state())


def serve(settings: Settings, ending: Ending) -> None:
    """Run the appliance until it is told to stop by one of the signals of `ending`.

    Raises:
        ConfigError: the address is taken, or the store cannot be opened.
        StoreLocked: another process owns the data directory.
    """
    begun = time.perf_counter()
    running.prepare(settings.data_dir)
    if other := running.find(settings.data_dir):
        raise StoreLocked(
            f"the appliance at {other.address} (process {other.pid}) has the data directory "
            f"{settings.data_dir} open: stop it, or start this one with another --data-dir"
        )
    os.environ["SANIC_IGNORE_PRODUCTION_WARNING"] = "1"  # it speaks to users of Sanic, not ours
    with _listen(settings) as listener:
        address = _address(settings, listener.getsockname()[1])
        appliance = build(settings, address)
        with closing(appliance.store):
            appliance.store.open()
            appliance.store.disk.inflate()
            if not ending.told:
                _run(appliance, listener, ending, begun)
    log.info("stopped; everything acknowledged is stored")


def _run(appliance: Appliance, listener: socket.socket, ending: Ending, begun: float) -> None:
    app = create_app(appliance)
    _attach(app, appliance, begun, ending)
    app.run(
        sock=listener,
        protocol=StreamProtocol,
        single_process=True,
        register_sys_signals=False,  # its own would be lost while it starts
        motd=False,
        access_log=False,
    )


async def _stop_when_told(app: App, ending: Ending) -> None:
    await ending.until_told()
    app.stop(terminate=False)


def _attach(app: App, appliance: Appliance, begun: float, ending: Ending) -> None:
    """Let the server start and stop the parts."""
    stack = AsyncExitStack()

    @app.before_server_start
    async def before(_: App) -> None:
        await start(appliance, stack)

    @app.after_server_start
    async def after(_: App) -> None:
        ending.remember()  # again: Sanic has them ignored
        told = asyncio.create_task(_stop_when_told(app, ending), name="signals")
        stack.push_async_callback(_cancel, told)
        start_sources(appliance, stack)
        gc.collect()
        gc.freeze()  # what is loaded stays: walking it in each full collection costs 45 ms
        _record(appliance)
        stack.callback(running.remove, appliance.settings.data_dir, appliance.server)
        seconds = time.perf_counter() - begun
        log.info("ready at %s after %.1f s", appliance.server.address, seconds)

    @app.before_server_stop
    async def stopping(app: App) -> None:
        app.ctx.stopping = True
        ending.remember()  # the server has given the signals back
        log.info("stopping")

    @app.after_server_stop
    async def stop(_: App) -> None:
        await stack.aclose()


def _record(appliance: Appliance) -> None:
    """Tell the command line where the server is; on a full disk, do without."""
    try:
        running.write(appliance.settings.data_dir, appliance.server)
    except OSError as error:
        log.warning("%s: %s; commands will not find this server", running.FILE, error.strerror)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.bind_host else socket.AF_INET
    try:
        return socket.create_server(
            (settings.bind_host, settings.port), family=family, backlog=_BACKLOG
        )
    except OSError as error:
        raise ConfigError(
            f"PORT {settings.port} on BIND_HOST {settings.bind_host} must be free to listen on: "
            f"{os.strerror(error.errno) if error.errno else error}; stop what uses it, or choose "
            "another with --port"
        ) from None


def _address(settings: Settings, port: int) -> str:
    """Return the address at which this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind_host, settings.bind_host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def answer(settings: Settings, path: str) -> tuple[int, bytes]:
    """Return status and body of one GET request, without a socket or any source."""
    running.prepare(settings.data_dir)
    appliance = build(settings)
    async with AsyncExitStack() as stack:
        stack.callback(appliance.store.close)
        appliance.store.open()
        await start(appliance, stack)
        app = create_app(appliance)
        async with offline.running(app):
            return await offline.get(app, path)
