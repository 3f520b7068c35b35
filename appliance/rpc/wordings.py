"""How nodes and providers word their limits: tables of patterns, and the advice in a sentence.

JSON-RPC leaves the words to the node, and hardly two providers agree on a code. Every pattern is
searched for anywhere in the lower-case sentence of an error. What is found is advice, never a
promise: one provider names 10,000 blocks and accepts 100.
"""

import json
import re
from typing import Final

_SHOWN: Final = 200


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


RATE: Final = _any(
    r"too many requests",
    r"(?<!log )rate[- ]?limit",
    r"(?:request|call|query) rate\b",
    r"\brate (?:is )?exceeded",
    r"over rate",
    r"throttl",
    r"compute units",
    r"throughput",
    r"exceeded (?:its|your|the) .{0,40}(?:capacity|credits?|quota)",
    r"(?:quota|credits?|capacity) (?:has been |have been |was |is )?(?:exceed|exhaust|reach|used)",
    r"out of credits",
    r"(?:\d|requests?|calls?) ?(?:per|/) ?(?:second|minute|hour|day|month)",
    r"(?:daily|monthly|hourly) .{0,20}(?:requests?|usage|limit|calls?|count)",
    r"usage limit",
    r"retry in \d",
)
"""Slower, please."""

BEYOND: Final = _any(
    r"beyond (?:the )?(?:current |latest |chain )*(?:head|block|tip)",
    r"after last accepted",
    r"block height is \d+ but requested was",
    r"(?:greater|higher|newer|later) than (?:the )?(?:latest|current|head)",
)
"""The node has not got so far."""

RESULTS: Final = _any(
    r"more than [\d,]+ (?:results|logs|events|records)",
    r"max(?:imum)?[ _](?:number of )?(?:results|logs)\b",
    r"too many (?:results|logs|events|records|items)",
    r"results? (?:set )?(?:is |are )?too (?:large|many|big)",
    r"logs? matched by query exceed",
    r"limit(?:ed)? (?:of|to) [\d,]+ (?:results|logs)",
    r"number of (?:results|logs) exceed",
    r"response size",
    r"(?:response|answer|reply|body|entity|content|payload) (?:is )?(?:too|larger|exceed)",
    r"max(?:imum)? (?:response|result)",
)
"""Fewer logs, please, or fewer bytes."""

_AMOUNT: Final = r"(?:a |an )?[\d,_]+ ?k?\b"
RANGE: Final = _any(
    r"range .{0,20}too (?:large|wide|big|long)",
    r"too (?:large|wide|big|long) .{0,20}range",
    r"(?:block|query|request|log)s?[- ](?:range|span|count|distance) .{0,60}"
    r"(?:exceed|limit|larger|greater|should|\bover\b)",
    r"exceeds? .{0,40}\b(?:range|span|blocks?)\b",
    r"max(?:imum)? .{0,30}\b(?:range|span|blocks?)\b",
    r"range exceeds",
    r"ranges? over [\d,]+",
    rf"limited to (?:0 ?- ?)?{_AMOUNT}.{{0,12}}\b(?:range|blocks?)\b",
    rf"(?:up to|at most|only|over|than) {_AMOUNT} blocks?\b",
    r"limit (?:the |your )?(?:query|range|request)",
    r"too many blocks",
    r"number of (?:requested )?blocks",
    r"(?:reduc(?:e|ing)|narrow|shrink|limit|smaller|shorter) (?:your |the |a )?"
    r"(?:block |query |filter )*(?:range|filter|size)",
    r"rounds in logs query",
    r"this block range",
    r"query time(?:d |-)?out",
    r"query must be smaller",
    r"eth_getlogs .{0,40}limited to",
)
"""Fewer blocks, please."""

REVERTED: Final = _any(
    "revert", "out of gas", "invalid opcode", "invalid jump", "stack (?:under|over)flow"
)
"""A contract's own answer; every node says the same."""

MISSING: Final = _any(
    r"(?:unknown|missing) block",
    r"block .{0,80}(?:not|n't|non-?existent) ?(?:be )?(?:found|available|known|exist)",
    r"header (?:for hash )?not found",
    r"(?:could|can)(?:n't| ?not) find (?:block|header)",
    r"missing trie node",
    r"state .{0,80}(?:not|un) ?(?:be )?(?:available|found)",
    r"histor(?:y|ical) .{0,40}(?:not|un) ?available",
    r"historical state",
    r"pruned",
    r"archive",
    r"not (?:yet )?(?:been )?(?:imported|synced|indexed)",
    r"still (?:syncing|indexing)",
)
"""The node lacks a block or its state; another may have it."""

UNAVAILABLE: Final = _any(
    r"internal (?:server |json-?rpc )?error",
    r"temporar",
    r"time[d ]?-? ?out",
    r"deadline exceeded",
    r"try again",
    r"retry",
    r"unavailable",
    r"no (?:\w+ )?(?:backend|upstream|node|response|server|provider)s?\b",
    r"upstream",
    r"bad gateway",
    r"overload",
    r"busy",
    r"connection (?:reset|refused|closed)",
    r"unauthori[sz]ed",
    r"forbidden",
    r"api[ -]?key",
    r"project id",
    r"authenticat",
    r"syncing",
    r"not ready",
    r"cancell?ed",
)
"""This node cannot answer now, or not us."""

REJECTED: Final = _any(
    r"method .{0,60}(?:not|n't|un) ?(?:be )?"
    r"(?:found|support|exist|available|allowed|whitelisted|enabled)",
    r"\bbatch",
    r"(?:un|not )support",
    r"invalid (?:argument|params?|method|request|input|hex)",
    r"parse error",
)
"""This question is never answered by this node."""

_NUMBER: Final = r"(\d[\d,_]*)( ?k\b)?"
_WIDTHS: Final = tuple(
    re.compile(pattern.replace("#", _NUMBER))
    for pattern in (
        r"up to (?:a |an )?# ?blocks?",
        r"limited to (?:a |an )?(?:0 ?- ?)?#",
        (
            r"(?:max(?:imum)?|limit)(?: (?:allowed|is|was|set|to|of|block|number|requested|query"
            r"|range|blocks|size|rounds|in|logs))*\W{0,3} ?#(?! (?:results|logs))"
        ),
        r"(?:over|at most|only|than(?: size)?) # ?(?:blocks?|range|$)",
        r"narrow your filter\W{1,3}#",
        r"blocks distance\W{1,3}#",
    )
)
_HEX_SPAN: Final = re.compile(r"(0x[0-9a-f]+)\W{1,4}(?:to )?(0x[0-9a-f]+)")
_SPAN: Final = re.compile(r"(?:retry|try|work).{0,40}?range\D{0,20}?(\d+) ?(?:-|,|to) ?(\d+)")
_RETRY: Final = re.compile(
    r"(?:retry|again|wait|backoff)[\w -]{0,20}?\W{0,4}\b(\d+(?:\.\d+)? ?(?:ms|h|m|s)?[\dhms.]*)"
)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?) ?(ms|h|m|s)?")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}


def text(message: object, data: object) -> str:
    """Return what the node said as one line: its message, and its data where that adds words."""
    said = [_flat(message)] if message else []
    returned = isinstance(data, str) and data.startswith("0x")  # of a reverted call: no words
    if data and not returned and _flat(data) not in "".join(said):
        said.append(_flat(data))
    return " ".join(said)


def shown(said: str, code: int) -> str:
    """Return `said` as it may stand in a message of ours: short, printable, with its code."""
    clean = "".join(c if c.isprintable() else " " for c in said[: _SHOWN + 1])
    clean = clean if len(clean) <= _SHOWN else clean[:_SHOWN] + "…"
    clean = clean or "an error without words"
    return f"{clean} ({code})" if code else clean


def width(said: str) -> int | None:
    """Return the number of blocks that the sentence allows, None when it names none."""
    for pattern in _WIDTHS:
        if match := pattern.search(said):
            blocks = int(re.sub(r"[,_]", "", match[1])) * (1000 if match[2] else 1)
            return blocks or None
    return None


def span(said: str) -> tuple[int, int] | None:
    """Return the first and last block that the sentence proposes, None when it proposes none."""
    if match := _HEX_SPAN.search(said):
        first, last = int(match[1], 16), int(match[2], 16)
    elif match := _SPAN.search(said):
        first, last = int(match[1]), int(match[2])
    else:
        return None
    return (first, last) if first <= last else None


def retry_after_s(said: str) -> float | None:
    """Return the seconds to wait that the sentence asks for, None when it names none."""
    match = _RETRY.search(said)
    if not match:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(match[1]))


def _flat(value: object) -> str:
    plain = value if isinstance(value, str) else json.dumps(value, default=str)
    return " ".join(plain.split())
