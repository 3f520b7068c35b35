"""Settings: texts become values, wrong ones stop the start, secrets stay secret."""

import os
from pathlib import Path

import pytest

from appliance import settings
from appliance.errors import ConfigError
from appliance.settings import ApiKey, Settings
from appliance.settings.names import ALIASES, FORBIDDEN, UNUSED

KEY = "correct-horse"
PASSWORD = "hunter2hunter2"
VITALIK = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
"""An address with its checksum."""
OTHER = "0x00000000000000000000000000000000000000aa"

ORIGINAL_NAMES = """
CLICKHOUSE_HOST CLICKHOUSE_USER CLICKHOUSE_PASSWORD CLICKHOUSE_DATABASE CLICKHOUSE_SECURE
CLICKHOUSE_REQUEST_TIMEOUT CLICKHOUSE_MAX_CONNECTIONS CLICKHOUSE_BATCH_SIZE
CLICKHOUSE_FLUSH_INTERVAL CLICKHOUSE_ASYNC_INSERT CLICKHOUSE_ASYNC_INSERT_MAX_DATA_SIZE
CLICKHOUSE_MAX_MEMORY_USAGE CLICKHOUSE_MAX_THREADS
UPSTASH_REDIS_REST_URL UPSTASH_REDIS_REST_TOKEN CACHE_OHLCV_1S_TTL CACHE_OHLCV_1M_TTL
CACHE_OHLCV_5M_TTL CACHE_OHLCV_1H_TTL CACHE_OHLCV_1D_TTL CACHE_MARKET_DATA_TTL
CACHE_ACTIVE_PRICES_TTL
PUSHER_APP_ID PUSHER_KEY PUSHER_SECRET PUSHER_CLUSTER PUSHER_USE_TLS PUSHER_MAX_CHANNELS
PUSHER_MAX_EVENTS_PER_SECOND
RATE_LIMIT_REQUESTS RATE_LIMIT_WINDOW_MS RATE_LIMIT_ENABLED CORS_ORIGINS CORS_METHODS
CORS_CREDENTIALS MAX_CONCURRENT_QUERIES QUERY_TIMEOUT_MS RESPONSE_COMPRESSION
TRADINGVIEW_SUPPORTED_RESOLUTIONS TRADINGVIEW_SUPPORTS_MARKS TRADINGVIEW_SUPPORTS_TIME
TRADINGVIEW_SUPPORTS_SEARCH LIGHTWEIGHT_CHARTS_MAX_BARS LIGHTWEIGHT_CHARTS_UPDATE_INTERVAL
LIGHTWEIGHT_CHARTS_PRELOAD_BARS PRICE_UPDATE_INTERVAL
RPC_URL RPC_TIMEOUT RPC_MAX_RETRIES VAMM_FACTORY_ADDRESS EVENT_BATCH_SIZE
EVENT_PROCESSING_INTERVAL EVENT_CONFIRMATION_BLOCKS
SENTRY_DSN SENTRY_ENVIRONMENT HEALTH_CHECK_ENABLED
LOG_LEVEL LOG_FORMAT DEV_MOCK_DATA DEV_SAMPLE_DATA DEV_BYPASS_RATE_LIMIT
JWT_SECRET JWT_EXPIRES_IN API_KEY_HEADER MAX_QUERY_PARAMS MAX_REQUEST_SIZE
SECURITY_HEADERS_ENABLED CONTENT_SECURITY_POLICY X_FRAME_OPTIONS
MEMORY_LIMIT_MB
BACKUP_ENABLED BACKUP_INTERVAL BACKUP_RETENTION_DAYS BACKUP_S3_BUCKET DR_FAILOVER_ENABLED
DR_SECONDARY_CLICKHOUSE_HOST
ENABLE_REALTIME_UPDATES ENABLE_MARKET_SEARCH ENABLE_MARKS_SUPPORT ENABLE_COMPRESSION
WEBHOOK_SECRET
CHART_DATA_CACHE_TTL OHLCV_1M_CACHE_TTL OHLCV_5M_CACHE_TTL MARKET_DATA_CACHE_TTL
WEBSOCKET_HEARTBEAT_INTERVAL WS_MAX_CONNECTIONS REDIS_HOST ENABLE_TRADINGVIEW_CHARTS
ENABLE_REALTIME_STREAMING
NEXT_PUBLIC_PUSHER_KEY NEXT_PUBLIC_PUSHER_CLUSTER VERCEL_ENV VERCEL_URL
NEXT_PUBLIC_CHART_API_URL VERCEL_FUNCTION_TIMEOUT VERCEL_MAX_DURATION VOLUME_UPDATE_INTERVAL
ORDERBOOK_UPDATE_INTERVAL VAULT_FACTORY_ADDRESS PRICE_ORACLE_ADDRESS VERCEL_ANALYTICS_ID
DATADOG_API_KEY NEW_RELIC_LICENSE_KEY HEALTH_CHECK_INTERVAL HEALTH_CHECK_TIMEOUT DEBUG_ENABLED
TEST_CLICKHOUSE_DATABASE TEST_MODE TEST_TIMEOUT VALIDATE_INPUTS CONNECTION_POOL_MIN
CONNECTION_POOL_MAX CONNECTION_POOL_IDLE_TIMEOUT NODE_OPTIONS GC_INTERVAL GC_FORCE_ENABLED
ENABLE_ADVANCED_CHARTS ENABLE_LIGHTWEIGHT_CHARTS ENABLE_HISTORICAL_DATA
ENABLE_WEBSOCKET_FALLBACK ENABLE_SYMBOL_INFO ENABLE_AGGRESSIVE_CACHING
ENABLE_QUERY_OPTIMIZATION ENABLE_CDN TRACK_USER_ACTIVITY TRACK_MARKET_POPULARITY
TRACK_QUERY_PERFORMANCE TRACK_CACHE_EFFICIENCY ANALYTICS_BATCH_SIZE ANALYTICS_FLUSH_INTERVAL
ANALYTICS_RETENTION_DAYS COINGECKO_API_KEY COINMARKETCAP_API_KEY MORALIS_API_KEY WEBHOOK_TIMEOUT
WEBHOOK_RETRIES PRICE_FEED_PROVIDER PRICE_FEED_UPDATE_INTERVAL PRICE_FEED_FALLBACK_ENABLED
NODE_ENV APP_VERSION BUILD_ID DEPLOYMENT_TIMESTAMP GIT_COMMIT_SHA DEPLOYMENT_REGION
CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT
""".split()
"""Every name that users of the original design may have set."""

OLDER = {f"CLICKHOUSE_{name}" for name in "HOST USER PASSWORD DATABASE SECURE".split()}
ROWS = {row.metadata["name"]: row for row in settings.rows()}


def read(**environment: str) -> Settings:
    return settings.read(environment)


def refusal(**environment: str) -> str:
    """Return why these variables stop the start."""
    with pytest.raises(ConfigError) as caught:
        read(**environment)
    return str(caught.value)


@pytest.mark.parametrize("name", ROWS)
def test_the_shown_default_reads_back_as_the_default(name: str) -> None:
    """What `appliance settings` prints may be pasted into the environment."""
    shown = {n: value for n, value, _ in settings.redacted(Settings())}[name]
    expected = getattr(Settings(), ROWS[name].name)
    assert expected == getattr(read(**{name: shown}), ROWS[name].name)


WRONG = [
    ("BIND_HOST", "my host", "a host name or an IP address"),
    ("PORT", "0", "a whole number from 1 to 65,535"),
    ("PORT", "65536", "a whole number from 1 to 65,535"),
    ("PORT", "three", "a whole number"),
    ("PORT", '"3000"', "a whole number"),
    ("PORT", "²", "a whole number"),
    ("PORT", "9" * 5_000, "a whole number"),
    ("DATA_DIR", "/dev/null", "the path of a directory"),
    ("DATA_DIR", "~no-such-user/data", "the path of a directory"),
    ("DATA_DIR", "x" * 5_000, "the path of a directory"),
    ("DATA_DIR", "/tmp/what?", "without ? and #"),
    ("DEMO", "maybe", "one of auto, on, off"),
    ("API_KEY_HEADER", "X Key", "a header's name"),
    ("AUTO_CREATE_MARKETS", "ja", "true or false"),
    ("HISTORY_MAX_BARS", "1e4", "a whole number"),
    ("CLOSE_GRACE_MS", "-1", "a whole number"),
    ("TRADINGVIEW_SUPPORTED_RESOLUTIONS", "1,5x", "a comma list of minutes"),
    ("TRADINGVIEW_SUPPORTED_RESOLUTIONS", ",", "a comma list of minutes"),
    ("CORS_ORIGINS", "https://a.example/", "without path or slash"),
    ("CORS_ORIGINS", "a.example", "a comma list like https://app.example"),
    ("X_FRAME_OPTIONS", "ALLOWALL", "one of sameorigin, deny"),
    ("MAX_REQUEST_SIZE", "10 apples", "a size in bytes"),
    ("MAX_REQUEST_SIZE", "0", "a size in bytes"),
    ("BACKUP_INTERVAL", "59", "a whole number from 60 to 31,536,000"),
    ("BACKUP_RETENTION_DAYS", "0", "a whole number from 1 to 36,500"),
    ("BACKUP_DIR", "/dev/null", "the path of a directory"),
    ("CONTRACT_ADDRESS", "0x_your_address", "an address of 0x and 40 hexadecimal digits"),
    ("CONTRACT_ADDRESS", f"{OTHER},{OTHER}0", "an address of 0x and 40 hexadecimal digits"),
    ("CONTRACT_ADDRESS", f"{OTHER}, {OTHER.upper()}", "each address appears once"),
    ("CONTRACT_ADDRESS", ",", "a comma list of addresses"),
    ("CONTRACT_ADDRESS", f"{OTHER},{VITALIK[:-1]}6", "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96046"),
    ("FACTORY_ADDRESS", VITALIK.replace("d8dA", "D8dA"), "checksum in the case of 0xD8dA"),
    ("VAMM_FACTORY_ADDRESS", "0x_your_vamm_factory_address", "an address of 0x and 40"),
    ("PRESET", "uni swap", "a preset's name"),
    ("PRESET", "../vamm", "a preset's name"),
    ("START_BLOCK", "latest", "a whole number from 0 to 17,592,186,044,415"),
    ("START_BLOCK", "0x10", "a whole number"),
    ("CONFIRMATION_BLOCKS", "-1", "a whole number from 0 to 100,000"),
    ("EVENT_CONFIRMATION_BLOCKS", "three", "a whole number from 0 to 100,000"),
    ("MARKETS_FILE", "/no/such/file", "the path of a readable file"),
    ("MARKETS_FILE", "/dev", "the path of a readable file"),
    ("MARKETS_FILE", "x" * 5_000, "the path of a readable file"),
    ("MARKETS_FILE", "~no-such-user/x", "the path of a readable file"),
    ("EVENTS_FILE", f"{__file__},/no/such/file", "a comma list of paths of readable files"),
    ("EVENTS_FILE", f"{__file__},{__file__}", "each once"),
    ("EVENTS_FILE", ",", "a comma list of paths"),
    ("RPC_TIMEOUT", "30s", "a whole number from 100 to 600,000"),
    ("RPC_MAX_RETRIES", "101", "a whole number from 0 to 100"),
    ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ("LOG_FORMAT", "xml", "one of text, json"),
]


@pytest.mark.parametrize(("name", "text", "rule"), WRONG)
def test_a_wrong_value_is_named_with_its_cure(name: str, text: str, rule: str) -> None:
    message = refusal(**{name: text})
    assert message.startswith(f"{name} must be ")
    assert rule in message
    assert message.endswith(f", was {text!r}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STORE_URL", f"mysql://u:{PASSWORD}@h/d"),
        ("STORE_URL", f"clickhouse://u:{PASSWORD}#x@host:8443/d"),  # no port is left of it
        ("STORE_URL", f"clickhouse://u:{PASSWORD}/x@host:8443/d"),
        ("STORE_URL", f"clickhouse://u:{PASSWORD}[x@host:8443/d"),
        ("STORE_URL", f"clickhouse://u:{PASSWORD}℀@host:8443/d"),  # urlsplit repeats this one
        ("STORE_URL", f"clickhouse://u:{PASSWORD}@/d"),
        ("STORE_URL", f"chdb://{PASSWORD}/d"),
        ("STORE_URL", f"chdb:{PASSWORD}"),
        ("CACHE_URL", f"redis://:{PASSWORD}@host"),
        ("CACHE_URL", f"memory://{PASSWORD}"),
        ("CACHE_URL", "disk:///"),
        ("API_KEYS", f"{PASSWORD}:owner"),
        ("API_KEYS", f"{PASSWORD}:"),
        ("API_KEYS", f"{PASSWORD},short"),
        ("API_KEYS", f"{PASSWORD} {PASSWORD}"),
        ("API_KEYS", f"{PASSWORD}ß"),
        ("API_KEYS", f"{PASSWORD}:read,{PASSWORD}:admin"),
        ("RPC_URL", f"wss://node.example/{PASSWORD}"),
        ("RPC_URL", f"node.example/{PASSWORD}"),
        ("RPC_URL", f"https:///{PASSWORD}"),
        ("RPC_URL", f"https://node.example:x/{PASSWORD}"),
        ("RPC_URL", f"https://node.example/{PASSWORD} https://b.example"),
        ("RPC_URL", f"https://a/{PASSWORD},https://a/{PASSWORD}"),
        ("RPC_URL", f"https://a℀/{PASSWORD}"),
        ("RPC_URL", ","),
        ("WS_RPC_URL", f"https://node.example/{PASSWORD}"),
        ("WEBHOOK_SECRET", PASSWORD[:7]),
        ("WEBHOOK_SECRET", f"{PASSWORD} {PASSWORD}"),
        ("CLICKHOUSE_HOST", f"https://u:{PASSWORD}@host:8443"),
        ("CLICKHOUSE_HOST", f"https://u:{PASSWORD}#@host:8443"),
    ],
)
def test_a_wrong_secret_is_not_shown(name: str, text: str) -> None:
    """Not a part of it, either; the name and the cure are."""
    message = refusal(**{name: text})
    assert message.startswith(f"{name} must be ")
    assert message.endswith("(not shown)")
    assert PASSWORD[:7] not in message


def test_values_are_read() -> None:
    found = read(
        PORT=" 8080 ",
        DEMO="OFF",
        API_KEYS=f"{KEY}, reader-key:read,admin-key:admin",
        CORS_ORIGINS="https://App.example, http://localhost:3000",
        MAX_REQUEST_SIZE="2mb",
        ACCESS_LOG="Yes",
        X_FRAME_OPTIONS="deny",
        DATA_DIR="~",
    )
    assert (8080, "off", 2 << 20, True) == (
        *(found.port, found.demo, found.max_request_size, found.access_log),
    )
    keys = (ApiKey(KEY, "write"), ApiKey("reader-key", "read"), ApiKey("admin-key", "admin"))
    assert keys == found.api_keys
    assert ("https://app.example", "http://localhost:3000") == found.cors_origins
    assert ("DENY", Path.home()) == (found.frame_options, found.data_dir)


def test_chain_values_are_read(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.touch()
    found = read(
        RPC_URL=" https://a.example/key , http://localhost:8545",
        WS_RPC_URL="wss://a.example/key",
        CONTRACT_ADDRESS=f"{VITALIK}, 0X{OTHER[2:].upper()}",
        PRESET="uniswap-v3",
        START_BLOCK="0",
        CONFIRMATION_BLOCKS="12",
        EVENTS_FILE=str(file),
        RPC_TIMEOUT="5000",
        RPC_MAX_RETRIES="0",
        WEBHOOK_SECRET="whsec_0123456789",
    )
    assert ("https://a.example/key", "http://localhost:8545") == found.rpc_url
    assert ("wss://a.example/key", "uniswap-v3", 0, 12, (str(file),), 5_000, 0) == (
        *(found.ws_rpc_url, found.preset, found.start_block, found.confirmation_blocks),
        *(found.events_file, found.rpc_timeout_ms, found.rpc_max_retries),
    )
    assert (VITALIK.lower(), OTHER) == found.contract_address
    assert "whsec_0123456789" == found.webhook_secret


@pytest.mark.parametrize("address", [VITALIK, VITALIK.lower(), f"0x{VITALIK[2:].upper()}"])
def test_an_address_may_be_in_any_case(address: str) -> None:
    """Mixed case is a checksum, which must be right; the one of this address is well known."""
    assert (VITALIK.lower(),) == read(FACTORY_ADDRESS=address).factory_address


def test_second_names_are_read_where_the_first_is_not_set() -> None:
    """Users of the original design have them; the first name wins, and the other is answered."""
    assert {"FACTORY_ADDRESS", "CONFIRMATION_BLOCKS"} == ALIASES.keys()
    old = {"VAMM_FACTORY_ADDRESS": OTHER, "EVENT_CONFIRMATION_BLOCKS": "3"}
    found = settings.read(old)
    assert ((OTHER,), 3) == (found.factory_address, found.confirmation_blocks)
    both = old | {"FACTORY_ADDRESS": VITALIK, "CONFIRMATION_BLOCKS": "0"}
    found = settings.read(both)
    assert ((VITALIK.lower(),), 0) == (found.factory_address, found.confirmation_blocks)
    assert [] == settings.notices(old)
    assert [
        "VAMM_FACTORY_ADDRESS: not used; FACTORY_ADDRESS is set",
        "EVENT_CONFIRMATION_BLOCKS: not used; CONFIRMATION_BLOCKS is set",
    ] == settings.notices(both)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert read(PORT="", JWT_SECRET="", CLICKHOUSE_HOST="", RPC_URL="") == Settings()


def test_flags_beat_the_environment() -> None:
    """Even where the variable is wrong."""
    assert settings.read({"PORT": "x", "DEMO": "on"}, {"PORT": "4000"}).port == 4000


def test_a_wrong_flag_is_named_like_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"^PORT must be .*, was 'x'$"):
        settings.read({"PORT": "1"}, {"PORT": "x"})


def test_the_process_s_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "4321")
    assert settings.read().port == 4321


# -- secrets --


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    """As container engines hand them over, with a line end."""
    file = tmp_path / "keys"
    file.write_text(f"{KEY}:read\n")
    assert (ApiKey(KEY, "read"),) == read(API_KEYS_FILE=str(file)).api_keys


def test_only_secrets_come_from_files(tmp_path: Path) -> None:
    """ACCESS_LOG_FILE is a variable that others have, too."""
    assert read(ACCESS_LOG_FILE=str(tmp_path / "access.log")) == Settings()


def test_an_unreadable_secret_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    expected = f"API_KEYS_FILE must name a readable file, was '{missing}': "
    assert refusal(API_KEYS_FILE=str(missing)) == expected + os.strerror(2)
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"hunter2\xff")
    assert refusal(API_KEYS_FILE=str(garbage)).endswith(": not UTF-8 text")
    garbage.write_text(" \n")
    assert refusal(API_KEYS_FILE=str(garbage)).endswith("is empty")


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    """Whoever rotates one of the two must not wonder."""
    assert "given once" in refusal(API_KEYS=KEY, API_KEYS_FILE=str(tmp_path / "x"))


def test_secrets_are_redacted() -> None:
    found = read(
        API_KEYS=f"{KEY},another-one:admin",
        STORE_URL=f"clickhouse://me:{PASSWORD}@host:8443/db?access_token={PASSWORD}#{PASSWORD}",
        CACHE_URL="disk:///tmp/x",
    )
    rows = {name: value for name, value, _ in settings.redacted(found)}
    assert rows["API_KEYS"] == "(2 set)"
    assert rows["STORE_URL"] == "clickhouse://me:***@host:8443/db?***"
    assert rows["CACHE_URL"] == "disk:///tmp/x"
    everything = f"{found!r} {found} {found.api_keys!r} {rows}"
    assert PASSWORD not in everything
    assert KEY not in everything


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://node.example/v2/{PASSWORD}", "https://node.example/***"),
        (f"https://node.example?key={PASSWORD}", "https://node.example/***"),
        (f"https://node.example#{PASSWORD}", "https://node.example/***"),
        (f"https://me:{PASSWORD}@node.example:8545", "https://node.example:8545/***"),
        ("http://localhost:8545/", "http://localhost:8545"),
        (f"https://a/{PASSWORD},http://b", "https://a/***,http://b"),
    ],
)
def test_nodes_are_shown_by_their_hosts(url: str, expected: str) -> None:
    """Anything else may be a key."""
    found = read(RPC_URL=url, WS_RPC_URL=f"wss://node.example/{PASSWORD}", WEBHOOK_SECRET=PASSWORD)
    rows = {name: value for name, value, _ in settings.redacted(found)}
    names = ("RPC_URL", "WS_RPC_URL", "WEBHOOK_SECRET")
    assert [expected, "wss://node.example/***", "(set)"] == [rows[name] for name in names]
    assert PASSWORD not in f"{found!r} {rows}"


def test_secrets_of_the_chain_may_come_from_files(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("RPC_URL", "WS_RPC_URL", "WEBHOOK_SECRET")}
    for name, file in files.items():
        file.write_text(f"{'wss' if name[0] == 'W' else 'https'}://node.example/{PASSWORD}\n")
    found = settings.read({f"{name}_FILE": str(file) for name, file in files.items()})
    assert (f"https://node.example/{PASSWORD}",) == found.rpc_url
    assert [f"wss://node.example/{PASSWORD}"] * 2 == [found.ws_rpc_url, found.webhook_secret]


# -- names of other versions --


def test_every_name_of_the_original_is_known() -> None:
    """A setting, an older spelling, or a name that is answered with a line."""
    known = ROWS.keys() | UNUSED.keys() | FORBIDDEN.keys() | OLDER | set(ALIASES.values())
    assert set() == set(ORIGINAL_NAMES) - known


def test_no_name_is_known_twice() -> None:
    second = set(ALIASES.values())
    assert set() == ROWS.keys() & (UNUSED.keys() | FORBIDDEN.keys() | second)
    assert set() == second & (UNUSED.keys() | FORBIDDEN.keys())
    assert ALIASES.keys() <= ROWS.keys()
    assert set() == UNUSED.keys() & FORBIDDEN.keys()


def test_unused_names_are_answered_once_each() -> None:
    environment = {"CLICKHOUSE_FLUSH_INTERVAL": "2000", "SENTRY_DSN": PASSWORD, "PORT": "1"}
    assert [
        "CLICKHOUSE_FLUSH_INTERVAL: not used; writes commit in groups",
        "SENTRY_DSN: not used; the appliance has no such feature",
    ] == settings.notices(environment)
    both = {"PUSHER_SECRET": "x", "PUSHER_SECRET_FILE": "/x"}
    assert [1, 1] == [len(settings.notices(e)) for e in (both, {"PUSHER_SECRET_FILE": "/x"})]
    pace = {"EVENT_BATCH_SIZE": "100", "EVENT_PROCESSING_INTERVAL": "2000"}
    assert [
        "EVENT_BATCH_SIZE: not used; requests grow and shrink with what the node allows",
        "EVENT_PROCESSING_INTERVAL: not used; blocks are read as the chain makes them",
    ] == settings.notices(pace)
    assert [] == settings.notices({"SENTRY_DSN": ""})


@pytest.mark.parametrize("name", ["JWT_SECRET", "JWT_SECRET_FILE"])
def test_signed_tokens_stop_the_start(name: str) -> None:
    """Routes must not be more open than the operator means."""
    message = refusal(**{name: PASSWORD})
    assert message.startswith("JWT_SECRET: signed tokens are not supported yet")
    assert PASSWORD not in message


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"HOST": "https://x.clickhouse.cloud:8443", "PASSWORD": "a/b#c@d%"},
            "clickhouses://default:a%2Fb%23c%40d%25@x.clickhouse.cloud:8443/default",
        ),
        ({"HOST": "localhost", "USER": "me"}, "clickhouse://me:@localhost:8123/default"),
        ({"HOST": "h:9", "SECURE": "1"}, "clickhouses://default:@h:9/default"),
        ({"HOST": "http://h", "DATABASE": "vamm"}, "clickhouse://default:@h:8123/vamm"),
        ({"HOST": "[::1]:8123"}, "clickhouse://default:@[::1]:8123/default"),
    ],
)
def test_older_spellings_make_the_store_s_address(variables: dict[str, str], expected: str) -> None:
    found = settings.read({f"CLICKHOUSE_{name}": text for name, text in variables.items()})
    assert (expected, None) == (found.store_dsn, found.store_path)


def test_older_spellings_may_be_secret_files(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("pw\n")
    found = read(CLICKHOUSE_HOST="h", CLICKHOUSE_PASSWORD_FILE=str(file))
    assert found.store_url == "clickhouse://default:pw@h:8123/default"


def test_store_url_beats_older_spellings(tmp_path: Path) -> None:
    """Also from a file; and what is not used is answered."""
    file = tmp_path / "url"
    file.write_text("chdb:///a")
    environment = {"CLICKHOUSE_HOST": "ftp://h", "STORE_URL_FILE": str(file)}
    assert settings.read(environment).store_url == "chdb:///a"
    assert ["CLICKHOUSE_HOST: not used; STORE_URL is set"] == settings.notices(environment)
    lonely = settings.notices({"CLICKHOUSE_USER": "me"})
    assert ["CLICKHOUSE_USER: not used without CLICKHOUSE_HOST; set STORE_URL"] == lonely
    assert [] == settings.notices({"CLICKHOUSE_HOST": "h", "CLICKHOUSE_USER": "me"})


def test_wrong_older_spellings_are_named() -> None:
    assert refusal(CLICKHOUSE_HOST="ftp://h").startswith("CLICKHOUSE_HOST must be an address")
    assert refusal(CLICKHOUSE_HOST="h:port").startswith("CLICKHOUSE_HOST must be an address")
    message = refusal(CLICKHOUSE_HOST="h", CLICKHOUSE_SECURE="ja")
    assert message == "CLICKHOUSE_SECURE must be true or false, was 'ja'"


# -- derived values and the document --


def test_the_store_is_in_the_data_directory_unless_set(tmp_path: Path) -> None:
    assert (f"chdb://{tmp_path}/store", tmp_path / "store") == (
        Settings(data_dir=tmp_path).store_dsn,
        Settings(data_dir=tmp_path).store_path,
    )
    assert read(STORE_URL="chdb:///a/b").store_path == Path("/a/b")


def test_a_chain_is_configured_by_its_node_or_a_file_of_markets(tmp_path: Path) -> None:
    """A contract alone is none: its events are pushed."""
    file = tmp_path / "rpc"
    file.write_text("https://node.example/secret")
    assert [False, False, True, True, True] == [
        settings.read(e).chain_configured
        for e in (
            *({}, {"CONTRACT_ADDRESS": OTHER}, {"RPC_URL": "https://n"}),
            *({"RPC_URL_FILE": str(file)}, {"MARKETS_FILE": str(file)}),
        )
    ]


def test_the_document_is_current() -> None:
    """Renew it: appliance settings --markdown > docs/settings.md."""
    path = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
    assert path.read_text(encoding="utf-8") == settings.document()


def test_the_document_has_every_name() -> None:
    text = settings.document()
    for name in (*ROWS, *UNUSED, *FORBIDDEN, *OLDER, *ALIASES.values()):
        assert f"`{name}`" in text
    assert {5, 3} == {  # bars inside a cell are escaped
        line.replace(r"\|", "").count("|") for line in text.splitlines() if line.startswith("|")
    }
