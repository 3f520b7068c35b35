"""Every setting, once: name, type, default, help, secret.

The fields of `Settings` are the table. From it come the environment, the command-line flags, the
documentation (`docs/settings.md`) and the redacted output of `appliance settings`.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from appliance.interval import parse
from appliance.settings import redaction, values
from appliance.settings.redaction import Redaction
from appliance.settings.values import ApiKey, Parser

Demo = Literal["auto", "on", "off"]


def setting(
    name: str,
    default: Any,
    help: str,
    parse: Parser = str,
    *,
    secret: Redaction | None = None,
    flag: str = "",
) -> Any:
    """Declare one row of the table.

    `secret` returns what may be shown of a secret; `flag` is the command-line spelling.
    """
    row = {"name": name, "help": help, "parse": parse, "secret": secret, "flag": flag}
    return dataclasses.field(default=default, metadata=row)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)  # repr would show secrets
class Settings:
    """The values of all settings; the fields, in order, are the documentation's table."""

    bind_host: str = setting(
        "BIND_HOST",
        "127.0.0.1",
        "Address to listen on; 0.0.0.0 for all.",
        values.host,
        flag="--host",
    )
    port: int = setting(
        "PORT",
        3000,
        "Port of every HTTP and WebSocket route.",
        values.integer(1, 65_535),
        flag="--port",
    )
    data_dir: Path = setting(
        "DATA_DIR",
        Path("data"),
        "Directory of everything that is stored.",
        values.directory,
        flag="--data-dir",
    )
    store_url: str = setting(
        "STORE_URL",
        "",
        "The store: chdb:///path, or clickhouse://user:password@host:8443/database. "
        "Default: in DATA_DIR.",
        values.store_url,
        secret=redaction.without_password,
    )
    cache_url: str = setting(
        "CACHE_URL",
        "",
        "Where answers are kept for the next start: disk:///path, a folder of its own, or "
        "memory:// for nowhere. Default: cache in DATA_DIR.",
        values.cache_url,
        secret=redaction.without_password,  # people paste redis://:password@host here: refused
    )
    cache_memory_mb: int = setting(
        "CACHE_MEMORY_MB",
        384,
        "Memory for answers that are asked for again.",
        values.integer(1, 1_048_576),
    )
    cache_disk_mb: int = setting(
        "CACHE_DISK_MB",
        1_024,
        "Disk for answers that memory has no room for, or that the next start takes over.",
        values.integer(1, 1_048_576),
    )
    demo: Demo = setting(
        "DEMO",
        "auto",
        "Simulated markets: on, off, or auto (only while no chain is configured and the store "
        "holds nothing else).",
        values.choice("auto", "on", "off"),
        flag="--demo, --no-demo",
    )
    api_keys: tuple[ApiKey, ...] = setting(
        "API_KEYS",
        (),
        "Keys for the writing routes: key[:read|write|admin],… (default write). None: those "
        "routes are closed.",
        values.api_keys,
        secret=redaction.number_only,
    )
    api_key_header: str = setting(
        "API_KEY_HEADER", "X-API-Key", "Header that carries a key.", values.header
    )
    auto_create_markets: bool = setting(
        "AUTO_CREATE_MARKETS",
        True,
        "Whether a trade of an unknown symbol makes its market.",
        values.switch,
    )
    history_max_bars: int = setting(
        "HISTORY_MAX_BARS", 10_000, "Most bars in one answer.", values.integer(100, 100_000)
    )
    close_grace_ms: int = setting(
        "CLOSE_GRACE_MS",
        1_000,
        "How long after its end a bar waits for late trades before it is closed.",
        values.integer(0, 60_000),
    )
    supported_resolutions: tuple[str, ...] = setting(
        "TRADINGVIEW_SUPPORTED_RESOLUTIONS",
        tuple("1S 5S 15S 30S 1 3 5 15 30 60 120 240 360 720 1D 3D 1W 1M".split()),
        "Resolutions offered to TradingView widgets.",
        values.resolutions,
    )
    cors_origins: tuple[str, ...] = setting(
        "CORS_ORIGINS", ("*",), "Origins whose pages may read the answers.", values.origins
    )
    frame_options: str = setting(
        "X_FRAME_OPTIONS",
        "SAMEORIGIN",
        "Who may show the dashboard in a frame: SAMEORIGIN or DENY.",
        lambda text: values.choice("sameorigin", "deny")(text).upper(),
    )
    embed_ancestors: tuple[str, ...] = setting(
        "EMBED_ANCESTORS",
        ("*",),
        "Origins whose pages may show /embed in a frame, a comma list; * for all, none for nobody.",
        values.ancestors,
    )
    explorer_url: str = setting(
        "EXPLORER_URL",
        "",
        "Where the dashboard's transactions can be read, like https://scan.example/tx/{hash}. "
        "Default: the explorers of well-known chains.",
        values.explorer,
    )
    max_request_size: int = setting(
        "MAX_REQUEST_SIZE", 10 << 20, "Largest request body, like 10mb.", values.size
    )
    max_query_params: int = setting(
        "MAX_QUERY_PARAMS", 20, "Most query parameters in one request.", values.integer(5, 1_000)
    )
    query_timeout_ms: int = setting(
        "QUERY_TIMEOUT_MS", 30_000, "Longest time one query may take.", values.integer(100, 600_000)
    )
    max_concurrent_queries: int = setting(
        "MAX_CONCURRENT_QUERIES",
        4,
        "Queries that run at once, each on its own thread.",
        values.integer(1, 64),
    )
    memory_limit_mb: int = setting(
        "MEMORY_LIMIT_MB",
        1_024,
        "Memory the embedded engine keeps below, the process included.",
        values.integer(512, 1_048_576),
    )
    ws_max_connections: int = setting(
        "WS_MAX_CONNECTIONS", 5_000, "Most WebSocket connections.", values.integer(1, 100_000)
    )
    disk_floor: int = setting(
        "DISK_FLOOR",
        256 << 20,
        "Free space below which nothing is written, like 256mb; 0: write to the last byte.",
        values.size_or_none,
    )
    ballast_size: int = setting(
        "BALLAST_SIZE",
        64 << 20,
        "Size of a file in DATA_DIR that can be removed to prune a full disk, like 64mb; 0: none.",
        values.size_or_none,
    )
    retention_trades_days: int = setting(
        "RETENTION_TRADES_DAYS",
        0,
        "Days that raw trades are kept; their candles stay, and older trades are refused. "
        "0: for ever.",
        values.integer(0, 36_500),
    )
    retention_candles: tuple[str, ...] = setting(
        "RETENTION_CANDLES",
        (),
        "Days that candles of stored intervals are kept, like 1s=7d,1m=90d. Default: for ever.",
        values.candle_retention,
    )
    verify_interval_s: int = setting(
        "VERIFY_INTERVAL",
        86_400,
        "Seconds after which the last seven days' candles are compared with their trades again. "
        "0: only when asked.",
        values.integer(0, 31_536_000),
    )
    backup_enabled: bool = setting(
        "BACKUP_ENABLED",
        False,
        "Whether the embedded store is backed up every BACKUP_INTERVAL.",
        values.switch,
    )
    backup_interval_s: int = setting(
        "BACKUP_INTERVAL",
        86_400,
        "Seconds from one backup to the next.",
        values.integer(60, 31_536_000),
    )
    backup_retention_days: int = setting(
        "BACKUP_RETENTION_DAYS",
        30,
        "Days after which a scheduled backup removes older ones, but never the newest.",
        values.integer(1, 36_500),
    )
    backup_dir: str = setting(
        "BACKUP_DIR",
        "",
        "Folder of the backups, of this appliance alone. Default: backups in DATA_DIR.",
        lambda text: str(values.directory(text)),
    )
    rpc_url: tuple[str, ...] = setting(
        "RPC_URL",
        (),
        "Nodes of the chain to follow, a comma list of http:// or https:// addresses; the best "
        "one is asked, the others stand in for it.",
        values.rpc_urls,
        secret=redaction.hosts_only,
    )
    ws_rpc_url: str = setting(
        "WS_RPC_URL",
        "",
        "A node's ws:// or wss:// address that announces new blocks, so that they are read at "
        "once. Default: RPC_URL is asked regularly.",
        values.ws_url,
        secret=redaction.host_only,
    )
    contract_address: tuple[str, ...] = setting(
        "CONTRACT_ADDRESS", (), "Contracts to follow, a comma list.", values.addresses
    )
    preset: str = setting(
        "PRESET",
        "vamm",
        "What the contracts emit: a preset of ours, or one of EVENTS_FILE.",
        values.preset,
    )
    factory_address: tuple[str, ...] = setting(
        "FACTORY_ADDRESS",
        (),
        "Factories whose markets are found and followed, a comma list.",
        values.addresses,
    )
    start_block: int | None = setting(
        "START_BLOCK",
        None,
        "First block to read. Default: the one in which the first contract was made.",
        values.integer(0, values.HIGHEST_BLOCK),
    )
    confirmation_blocks: int | None = setting(
        "CONFIRMATION_BLOCKS",
        None,
        "Blocks after which trades are final; they show at once. Default: what suits the chain.",
        values.integer(0, values.MOST_CONFIRMATIONS),
    )
    markets_file: str = setting(
        "MARKETS_FILE",
        "",
        "A TOML file of [[chain]] and [[chain.contract]] tables, for several chains; instead of "
        "RPC_URL and its kin.",
        values.file,
    )
    events_file: tuple[str, ...] = setting(
        "EVENTS_FILE", (), "TOML files with presets of your own, a comma list.", values.files
    )
    rpc_timeout_ms: int = setting(
        "RPC_TIMEOUT", 30_000, "Milliseconds a node may take.", values.integer(100, 600_000)
    )
    rpc_max_retries: int = setting(
        "RPC_MAX_RETRIES",
        3,
        "How often all nodes are asked again before a request counts as failed.",
        values.integer(0, 100),
    )
    webhook_secret: str = setting(
        "WEBHOOK_SECRET",
        "",
        "Key with which senders sign POST /api/webhooks. None: those routes are closed.",
        values.webhook_secret,
        secret=redaction.presence_only,
    )
    log_level: str = setting(
        "LOG_LEVEL",
        "info",
        "debug, info, warning or error.",
        values.choice("debug", "info", "warning", "error"),
    )
    log_format: str = setting("LOG_FORMAT", "text", "text or json.", values.choice("text", "json"))
    access_log: bool = setting("ACCESS_LOG", False, "One line for every request.", values.switch)

    @property
    def chain_configured(self) -> bool:
        """Return whether there is a chain to follow."""
        return bool(self.rpc_url or self.markets_file)

    @property
    def candles_days(self) -> dict[int, int]:
        """Return how many days candles are kept, by the seconds of their interval."""
        pairs = (word.split("=") for word in self.retention_candles)
        return {parse(name).seconds: int(days.removesuffix("d")) for name, days in pairs}

    @property
    def store_path(self) -> Path | None:
        """Return the directory of the embedded engine, None where a server is the store."""
        parts = urlsplit(self.store_dsn)
        return Path(parts.path) if parts.scheme == "chdb" else None

    @property
    def backup_folder(self) -> Path:
        """Return where backups are kept, in the data directory unless set."""
        return Path(self.backup_dir) if self.backup_dir else self.data_dir / "backups"

    @property
    def store_dsn(self) -> str:
        """Return the store's address, derived from the data directory unless set."""
        return self.store_url or f"chdb://{(self.data_dir / 'store').resolve()}"


def rows() -> tuple[dataclasses.Field[Any], ...]:
    """Return the rows of the settings table."""
    return tuple(f for f in dataclasses.fields(Settings) if f.metadata)
