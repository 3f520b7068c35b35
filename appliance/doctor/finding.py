"""Findings: what the doctor found out, as values that become a table or JSON.

None is what was not found out; why stands in `Finding.unknown`. Endpoints appear by name (host and
port) only: their URLs hold keys.
"""

from typing import Literal

import msgspec

Verdict = Literal["good", "usable", "unusable"]


class Finding(msgspec.Struct, kw_only=True):
    """One endpoint. `reasons` are why it is not good; `unknown` is why a fact is not known.

    `finalized` counts blocks below the head, None where the node does not know the word.
    `oldest_state` is about the oldest block whose state it has. `log_range` is the number of blocks
    whose logs it gave in one answer, 0 where it gives none; `log_range_said` what it said of more.
    `blanks` counts, of a few answers, those without logs for a block that has some. `batch` is the
    number of calls in a batch, 1 where batches are refused. `rate` is requests per second, and
    `rate_paced` means that it was not asked for more.
    """

    name: str
    verdict: Verdict = "good"
    reasons: list[str] = []
    error: str = ""
    chain_id: int | None = None
    client: str = ""
    head: int | None = None
    head_time: int | None = None
    head_age_s: float | None = None
    behind: int = 0
    behind_s: int = 0
    finalized: int | None = None
    oldest_state: int | None = None
    log_range: int | None = None
    log_range_said: str = ""
    log_range_slow: bool = False
    most_logs: int | None = None
    most_logs_said: str = ""
    block_time: bool | None = None
    blooms: bool | None = None
    blanks: int | None = None
    batch: int | None = None
    rate: float | None = None
    rate_paced: bool = False
    rate_said: str = ""
    latency_ms: float | None = None
    agrees: bool | None = None
    unknown: dict[str, str] = {}

    @property
    def answers(self) -> bool:
        """Return whether it told its chain and its head."""
        return not self.error and self.chain_id is not None and self.head is not None


class Advice(msgspec.Struct, frozen=True):
    """What to set, and why; `value` is empty where there is nothing to be set."""

    setting: str
    value: str
    why: str


class EventCount(msgspec.Struct, kw_only=True):
    """What became of the logs of one event; `event` is its topic 0 where no preset names it."""

    event: str
    decoded: int = 0
    ignored: int = 0
    malformed: int = 0


class SampleTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded trade; `price` is the one that candles show, None where they show none of it."""

    market: str
    time: str
    kind: str
    side: str
    price: float | None
    execution_price: float | None
    mark_price: float | None
    base_volume: str
    quote_volume: str
    block_number: int
    log_index: int


class Sample(msgspec.Struct, kw_only=True):
    """What the newest logs of the contracts become.

    `logs` is how many were found in blocks `from_block` to `to_block`; `addresses` and `topics`
    are what was looked for. `newest_only` where a factory has made more markets than were read.
    """

    addresses: list[str] = []
    topics: dict[str, str] = {}
    markets: list[str] = []
    newest_only: bool = False
    from_block: int = 0
    to_block: int = 0
    logs: int = 0
    events: list[EventCount] = []
    trades: list[SampleTrade] = []
    problems: list[str] = []


class ChainFindings(msgspec.Struct, kw_only=True):
    """One chain: its endpoints in the order given, and what follows for its settings."""

    name: str
    chain_id: int | None = None
    endpoints: list[Finding] = []
    warnings: list[str] = []
    advice: list[Advice] = []
    sample: Sample | None = None

    @property
    def usable(self) -> bool:
        """Return whether at least one endpoint can be used."""
        return any(found.verdict != "unusable" for found in self.endpoints)
