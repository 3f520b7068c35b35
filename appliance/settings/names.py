"""Names of settings that other versions had: what they mean here, or why they have no effect.

Users of the original design carry these in their environment: each one that is set is either
read as an older spelling or answered with one line at start, never silently ignored.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from appliance.errors import ConfigError
from appliance.settings.values import switch

_BATCHES = "not used; writes commit in groups"
_CACHE = "not used; CACHE_URL, CACHE_MEMORY_MB and CACHE_DISK_MB say where answers are cached"
_TTL = "not used; nothing cached expires, answers are corrected when trades change them"
_PUSHER = "not used; the appliance has its own WebSocket at /ws"
_HOSTING = "not used; the appliance is one process on your own machine"
_LATER = "not used yet; no feature of this version reads it"
_ALWAYS = "not used; this is always on"
_NEVER = "not used; the appliance has no such feature"

FORBIDDEN: Final = {
    "JWT_SECRET": "signed tokens are not supported yet, and ignoring it could leave routes more "
    "open than you mean: unset it and use API_KEYS",
}
"""Names whose presence stops the start: ignoring them could open what the operator meant shut."""


def _all(reason: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), reason)


UNUSED: Final[dict[str, str]] = {
    "EVENT_BATCH_SIZE": "not used; requests grow and shrink with what the node allows",
    "EVENT_PROCESSING_INTERVAL": "not used; blocks are read as the chain makes them",
    **_all(
        _BATCHES,
        "CLICKHOUSE_BATCH_SIZE CLICKHOUSE_FLUSH_INTERVAL CLICKHOUSE_ASYNC_INSERT "
        "CLICKHOUSE_ASYNC_INSERT_MAX_DATA_SIZE",
    ),
    "CLICKHOUSE_REQUEST_TIMEOUT": "not used; set QUERY_TIMEOUT_MS",
    "CLICKHOUSE_MAX_CONNECTIONS": "not used; set MAX_CONCURRENT_QUERIES",
    "CLICKHOUSE_MAX_MEMORY_USAGE": "not used; set MEMORY_LIMIT_MB",
    "CLICKHOUSE_MAX_THREADS": "not used; a candle query is fastest on one thread",
    **_all(_CACHE, "UPSTASH_REDIS_REST_URL UPSTASH_REDIS_REST_TOKEN REDIS_HOST"),
    **_all(
        _TTL,
        "CACHE_OHLCV_1S_TTL CACHE_OHLCV_1M_TTL CACHE_OHLCV_5M_TTL CACHE_OHLCV_1H_TTL "
        "CACHE_OHLCV_1D_TTL CACHE_MARKET_DATA_TTL CACHE_ACTIVE_PRICES_TTL CHART_DATA_CACHE_TTL "
        "OHLCV_1M_CACHE_TTL OHLCV_5M_CACHE_TTL MARKET_DATA_CACHE_TTL",
    ),
    **_all(
        _PUSHER,
        "PUSHER_APP_ID PUSHER_KEY PUSHER_SECRET PUSHER_CLUSTER PUSHER_USE_TLS "
        "PUSHER_MAX_CHANNELS PUSHER_MAX_EVENTS_PER_SECOND NEXT_PUBLIC_PUSHER_KEY "
        "NEXT_PUBLIC_PUSHER_CLUSTER PRICE_UPDATE_INTERVAL LIGHTWEIGHT_CHARTS_UPDATE_INTERVAL "
        "WEBSOCKET_HEARTBEAT_INTERVAL",
    ),
    "CORS_METHODS": "not used; each route allows the methods it has",
    "CORS_CREDENTIALS": "not used; answers never depend on cookies",
    "LIGHTWEIGHT_CHARTS_MAX_BARS": "not used; set HISTORY_MAX_BARS",
    "TRADINGVIEW_SUPPORTS_MARKS": "not used yet; marks are stored but not served",
    **_all(
        _ALWAYS,
        "TRADINGVIEW_SUPPORTS_TIME TRADINGVIEW_SUPPORTS_SEARCH HEALTH_CHECK_ENABLED "
        "SECURITY_HEADERS_ENABLED CONTENT_SECURITY_POLICY VALIDATE_INPUTS ENABLE_REALTIME_UPDATES "
        "ENABLE_REALTIME_STREAMING ENABLE_MARKET_SEARCH ENABLE_TRADINGVIEW_CHARTS "
        "ENABLE_ADVANCED_CHARTS ENABLE_LIGHTWEIGHT_CHARTS ENABLE_HISTORICAL_DATA",
    ),
    "DEV_MOCK_DATA": "not used; set DEMO",
    "DEV_SAMPLE_DATA": "not used; set DEMO",
    **_all(
        _LATER,
        "RATE_LIMIT_REQUESTS RATE_LIMIT_WINDOW_MS RATE_LIMIT_ENABLED DEV_BYPASS_RATE_LIMIT "
        "RESPONSE_COMPRESSION ENABLE_COMPRESSION ENABLE_MARKS_SUPPORT BACKUP_S3_BUCKET "
        "JWT_EXPIRES_IN "
        "LIGHTWEIGHT_CHARTS_PRELOAD_BARS ENABLE_SYMBOL_INFO",
    ),
    **_all(
        _HOSTING,
        "VERCEL_ENV VERCEL_URL NEXT_PUBLIC_CHART_API_URL VERCEL_FUNCTION_TIMEOUT "
        "VERCEL_MAX_DURATION VERCEL_ANALYTICS_ID NODE_ENV APP_VERSION BUILD_ID "
        "DEPLOYMENT_TIMESTAMP GIT_COMMIT_SHA DEPLOYMENT_REGION NODE_OPTIONS GC_INTERVAL "
        "GC_FORCE_ENABLED CONNECTION_POOL_MIN CONNECTION_POOL_MAX CONNECTION_POOL_IDLE_TIMEOUT "
        "HEALTH_CHECK_INTERVAL HEALTH_CHECK_TIMEOUT ENABLE_CDN",
    ),
    **_all(
        _NEVER,
        "SENTRY_DSN SENTRY_ENVIRONMENT DR_FAILOVER_ENABLED DR_SECONDARY_CLICKHOUSE_HOST "
        "VOLUME_UPDATE_INTERVAL ORDERBOOK_UPDATE_INTERVAL VAULT_FACTORY_ADDRESS "
        "PRICE_ORACLE_ADDRESS DATADOG_API_KEY NEW_RELIC_LICENSE_KEY DEBUG_ENABLED "
        "TEST_CLICKHOUSE_DATABASE TEST_MODE TEST_TIMEOUT ENABLE_WEBSOCKET_FALLBACK "
        "ENABLE_AGGRESSIVE_CACHING ENABLE_QUERY_OPTIMIZATION TRACK_USER_ACTIVITY "
        "TRACK_MARKET_POPULARITY TRACK_QUERY_PERFORMANCE TRACK_CACHE_EFFICIENCY "
        "ANALYTICS_BATCH_SIZE ANALYTICS_FLUSH_INTERVAL ANALYTICS_RETENTION_DAYS COINGECKO_API_KEY "
        "COINMARKETCAP_API_KEY MORALIS_API_KEY WEBHOOK_TIMEOUT WEBHOOK_RETRIES "
        "PRICE_FEED_PROVIDER PRICE_FEED_UPDATE_INTERVAL PRICE_FEED_FALLBACK_ENABLED "
        "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT",
    ),
}

ALIASES: Final = {
    "FACTORY_ADDRESS": "VAMM_FACTORY_ADDRESS",
    "CONFIRMATION_BLOCKS": "EVENT_CONFIRMATION_BLOCKS",
}
"""Settings with a second name, which is read where the first is not set."""
SECRETS: Final = ("CLICKHOUSE_PASSWORD",)
"""Names without a row of their own whose value may come from a file, too."""
_CLICKHOUSE: Final = "HOST USER PASSWORD DATABASE SECURE".split()


def older_spellings(source: Mapping[str, str]) -> dict[str, str]:
    """Return STORE_URL as the CLICKHOUSE_* variables spell it, if CLICKHOUSE_HOST is set.

    Raises:
        ConfigError: the address or CLICKHOUSE_SECURE is wrong.
    """
    address = source.get("CLICKHOUSE_HOST")
    if not address or source.get("STORE_URL"):
        return {}
    host, port, https = _address(address)
    secure = _secure(source.get("CLICKHOUSE_SECURE", "true" if https else "false")) or https
    user = quote(source.get("CLICKHOUSE_USER", "default"), safe="")
    password = quote(source.get("CLICKHOUSE_PASSWORD", ""), safe="")
    database = quote(source.get("CLICKHOUSE_DATABASE", "default"), safe="")
    scheme, usual = ("clickhouses", 8443) if secure else ("clickhouse", 8123)
    return {"STORE_URL": f"{scheme}://{user}:{password}@{host}:{port or usual}/{database}"}


def _address(text: str) -> tuple[str, int | None, bool]:
    """Return host, port and whether it says https."""
    try:
        parts = urlsplit(text if "//" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.username or parts.scheme not in ("", "http", "https"):
        raise ConfigError(
            "CLICKHOUSE_HOST must be an address like https://host:8443 or host:8123, without user "
            "and password, was another (not shown)"
        )
    return f"[{host}]" if ":" in host else host, port, parts.scheme == "https"


def _secure(text: str) -> bool:
    try:
        return switch(text)
    except ValueError as error:
        raise ConfigError(f"CLICKHOUSE_SECURE must be {error}, was {text!r}") from None


def overruled(environment: Mapping[str, str]) -> dict[str, str]:
    """Return why older spellings have no effect, where they have none."""
    reasons = {
        alias: f"not used; {name} is set"
        for name, alias in ALIASES.items()
        if environment.get(name)
    }
    if environment.get("STORE_URL") or environment.get("STORE_URL_FILE"):
        reason = "not used; STORE_URL is set"
    elif not environment.get("CLICKHOUSE_HOST"):
        reason = "not used without CLICKHOUSE_HOST; set STORE_URL"
    else:
        return reasons
    return reasons | {f"CLICKHOUSE_{name}": reason for name in _CLICKHOUSE}
