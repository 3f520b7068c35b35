"""Advice: which settings follow from what was found out about a chain's endpoints."""

from collections.abc import Iterator, Sequence
from typing import Final

from appliance.doctor.finding import Advice, ChainFindings, Finding
from appliance.following.chains import ChainTerms, default_confirmations

_RANK: Final = {"good": 0, "usable": 1, "unusable": 2}
_STEP_MS: Final = 10.0
_IN_FILE: Final = {
    "RPC_URL": "rpc_urls",
    "WS_RPC_URL": "ws_url",
    "START_BLOCK": "start_block",
    "CONFIRMATION_BLOCKS": "confirmations",
}
"""What MARKETS_FILE calls the settings."""


def advise(chain: ChainFindings, terms: ChainTerms, *, in_file: bool) -> list[Advice]:
    """Return what to set; `in_file` where the chain is one of MARKETS_FILE."""
    usable = [found for found in chain.endpoints if found.verdict != "unusable"]
    found = [*_endpoints(chain.endpoints, usable)]
    if usable:
        found += [*_confirmations(chain, terms, usable), *_start(terms, usable)]
        found += _wake_up(terms, usable)
    if not in_file:
        return found
    return [Advice(_IN_FILE[advice.setting], advice.value, advice.why) for advice in found]


def best_first(endpoints: Sequence[Finding]) -> list[Finding]:
    """Return the endpoints, the better verdict first, then the faster."""
    return sorted(endpoints, key=lambda e: (_RANK[e.verdict], bool(e.blanks), _latency(e)))


def _latency(found: Finding) -> float:
    """Return the latency in steps below which nobody should reorder anything."""
    return float("inf") if found.latency_ms is None else found.latency_ms // _STEP_MS


def _endpoints(endpoints: Sequence[Finding], usable: Sequence[Finding]) -> Iterator[Advice]:
    for found in endpoints:
        if found.verdict == "unusable":
            yield Advice("RPC_URL", "", f"drop {found.name}: {found.reasons[0]}")
    if len(usable) > 1:
        names = [found.name for found in best_first(usable)]
        if names == [found.name for found in endpoints]:
            yield Advice("RPC_URL", ", ".join(names), "the order is right: the best one is first")
        else:
            yield Advice("RPC_URL", ", ".join(names), "in this order: the better and faster first")
    elif usable:
        yield Advice(
            "RPC_URL",
            usable[0].name,
            "add one of another provider, to stand in when this one fails",
        )


def _confirmations(
    chain: ChainFindings, terms: ChainTerms, usable: Sequence[Finding]
) -> Iterator[Advice]:
    usual = default_confirmations(chain.chain_id or 0)
    told = [found.finalized for found in usable if found.finalized is not None]
    now = f"; now the finalized block is {max(told):,} below the head" if told else ""
    given = terms.confirmations
    if given is None or given == usual:
        why = f"the default for chain {chain.chain_id}, need not be set{now}"
    elif given < usual:
        why = f"is {given}, and a reorg may go deeper on chain {chain.chain_id}{now}"
    else:
        why = f"is {given}, safe, and bars become final later than need be{now}"
    yield Advice("CONFIRMATION_BLOCKS", str(usual), why)


def _start(terms: ChainTerms, usable: Sequence[Finding]) -> Iterator[Advice]:
    told = [found.oldest_state for found in usable if found.oldest_state is not None]
    if terms.start_block is not None or not told:
        return
    if min(told) <= 1:
        yield Advice("START_BLOCK", "", "need not be set: old states tell where contracts begin")
    else:
        yield Advice(
            "START_BLOCK",
            "the block in which the first contract was made",
            f"no endpoint keeps states before about block {min(told):,}, by which it is found",
        )


def _wake_up(terms: ChainTerms, usable: Sequence[Finding]) -> Iterator[Advice]:
    if not terms.ws_url:
        best = best_first(usable)[0].name
        yield Advice(
            "WS_RPC_URL",
            f"a wss:// address of {best}, if it has one",
            "new blocks are then seen at once; without it the head is asked for about every second",
        )
