"""The file of markets: TOML with one [[chain]] for each chain, its contracts below it.

    [[chain]]
    name = "polygon"                      # optional, as everything but rpc_urls and contracts
    rpc_urls = ["https://node.example/key"]
    ws_url = "wss://node.example/key"
    chain_id = 137                        # the nodes must agree; needed without rpc_urls
    start_block = 52000000
    confirmations = 200

    [[chain.contract]]
    address = "0x…"
    preset = "uniswap-v3"                 # default: vamm
    factory = false
    price = "execution"                   # or "after"
    invert = false
    symbol = "WETH/USDC"
    exchange = "UNISWAP"

Addresses of nodes hold keys: they appear in no message.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import msgspec

from appliance.errors import BadRequest, ConfigError
from appliance.files.symbol import canonical_symbol
from appliance.following.places import Entry, Places
from appliance.following.presets import Presets
from appliance.following.terms import (
    ChainTerms,
    ContractTerms,
    check_contract,
    check_together,
    host_of,
)
from appliance.model import PriceRule
from appliance.settings import values
from appliance.store.catalogue import DEMO_EXCHANGE

T = TypeVar("T")
HIGHEST_CHAIN_ID: Final = 2**53 - 1
"""As JavaScript's numbers end."""
_TOML_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")
_PATH: Final = re.compile(r" - at `\$([^`]*)`$")
_FIELD: Final = re.compile(r"Object (?:contains unknown|missing required) field `([^`]*)`")
_EXCHANGE: Final = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,31}")
_WANTED: Final = {
    "chain": "a list of [[chain]] tables",
    "contract": "a list of [[chain.contract]] tables",
    "rpc_urls": "a list of addresses in quotes",
    "chain_id": "a whole number",
    "start_block": "a whole number",
    "confirmations": "a whole number",
    "factory": "true or false",
    "invert": "true or false",
    "price": f"one of {', '.join(get_args(PriceRule))}",
}
"""What each key must be; all others are texts."""
_SECRET: Final = ("rpc_urls", "ws_url")


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Anything read from the file; an unknown key is an error."""


class _ContractForm(_Form, frozen=True):
    address: str
    preset: str = "vamm"
    factory: bool = False
    price: PriceRule | None = None
    invert: bool | None = None
    symbol: str = ""
    exchange: str = ""


class _ChainForm(_Form, frozen=True):
    name: str = ""
    rpc_urls: list[str] = []
    ws_url: str = ""
    chain_id: int | None = None
    start_block: int | None = None
    confirmations: int | None = None
    contract: list[_ContractForm] = []


class _FileForm(_Form, frozen=True):
    chain: list[_ChainForm]


def read_file(path: str, presets: Presets) -> tuple[ChainTerms, ...]:
    """Return the chains of the file at `path`, in its order.

    Raises:
        ConfigError: names the file, the line, the entry, the key, the value and the cure.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"MARKETS_FILE must be a readable text, was {path!r}: {reason}") from None
    places = Places(text, Path(path).name)
    form = _form(text, places)
    if not form.chain:
        raise places.error("chain must be a list of at least one [[chain]], was empty", key="chain")
    chains = tuple(
        _chain(chain, Reading(places, presets, (number,)))
        for number, chain in enumerate(form.chain)
    )
    _check_different(chains, places)
    return _named(chains)


def _form(text: str, places: Places) -> _FileForm:
    """Return the file's keys and values, each of the right type."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _TOML_LINE.search(str(error))  # none where the reader says "at end of document"
        line = int(match[1]) if match else places.last
        said = str(error)[: match.start()] if match else str(error)
        raise places.error(f"must be TOML: {said}", line=line) from None
    try:
        return msgspec.convert(found, _FileForm)
    except msgspec.ValidationError as error:
        raise _mistyped(str(error), found, places) from None


def _mistyped(message: str, found: dict[str, Any], places: Places) -> ConfigError:
    """Return the error for msgspec's sentence, with its path and value in our words."""
    path = match[1] if (match := _PATH.search(message)) else ""
    steps: list[Any] = [
        word or int(index) for word, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)
    ]
    at: Entry = tuple(step for step in steps if isinstance(step, int))[:2]
    if field := _FIELD.match(message):
        unknown = "must be left out, there is no such key"
        cure = unknown if "unknown" in message else "must be given"
        return places.error(f"{field[1]} {cure}", at, field[1])
    key = next((step for step in reversed(steps) if isinstance(step, str)), "chain")
    value = reduce(lambda v, step: v[step], steps, found)
    was = "another (not shown)" if key in _SECRET else f"{value!r:.80}"
    return places.error(f"{key} must be {_WANTED.get(key, 'a text in quotes')}, was {was}", at, key)


class Reading:
    """Reads the values of one entry, and knows its place."""

    def __init__(self, places: Places, presets: Presets, at: Entry) -> None:
        """Read the entry at `at`."""
        self.places = places
        self.presets = presets
        self.at = at

    def below(self, number: int) -> "Reading":
        """Return the same for a contract of this chain."""
        return Reading(self.places, self.presets, (*self.at, number))

    def error(self, message: str, key: str = "") -> ConfigError:
        """Return an error at this entry."""
        return self.places.error(message, self.at, key)

    def value(self, key: str, parse: Callable[[str], T], text: str) -> T:
        """Return what `text` means."""
        try:
            return parse(text)
        except ValueError as error:
            was = "another (not shown)" if key in _SECRET else repr(text)
            raise self.error(f"{key} must be {error}, was {was}", key) from None

    def number(self, key: str, value: int | None, low: int, high: int) -> int | None:
        """Return a number in a range, None where there is none."""
        if value is None:
            return None
        parse: Callable[[str], int] = values.integer(low, high)
        return self.value(key, parse, str(value))

    def checked(self, check: Callable[[], T]) -> T:
        """Return what `check` does; its mistake, which begins with a key, is one of this entry."""
        try:
            return check()
        except ConfigError as error:
            raise self.error(str(error), str(error).partition(" ")[0]) from None


def _chain(form: _ChainForm, reading: Reading) -> ChainTerms:
    urls: tuple[str, ...] = ()
    if form.rpc_urls:
        urls = reading.value("rpc_urls", _urls, ",".join(form.rpc_urls))
    if not urls and form.chain_id is None:
        raise reading.error(
            "rpc_urls must be given to follow the chain, or chain_id to take events that are pushed"
        )
    if form.ws_url and not urls:
        raise reading.error("rpc_urls must be given with ws_url, which only announces blocks")
    if not form.contract:
        raise reading.error("contract must be a list of at least one [[chain.contract]], was empty")
    contracts = tuple(
        _contract(contract, reading.below(number)) for number, contract in enumerate(form.contract)
    )
    reading.checked(lambda: check_together(contracts))
    return ChainTerms(
        rpc_urls=urls,
        ws_url=reading.value("ws_url", values.ws_url, form.ws_url) if form.ws_url else "",
        start_block=reading.number("start_block", form.start_block, 0, values.HIGHEST_BLOCK),
        confirmations=reading.number(
            "confirmations", form.confirmations, 0, values.MOST_CONFIRMATIONS
        ),
        contracts=contracts,
        name=reading.value("name", _name, form.name) if form.name else "",
        chain_id=reading.number("chain_id", form.chain_id, 1, HIGHEST_CHAIN_ID),
    )


def _contract(form: _ContractForm, reading: Reading) -> ContractTerms:
    preset = reading.checked(lambda: reading.presets.named(form.preset))
    terms = ContractTerms(
        address=reading.value("address", values.address, form.address),
        preset=preset,
        factory=form.factory,
        price=form.price,
        invert=form.invert,
        symbol=reading.value("symbol", _symbol, form.symbol) if form.symbol else "",
        exchange=reading.value("exchange", _exchange, form.exchange) if form.exchange else "",
    )
    if form.factory:
        reading.checked(lambda: reading.presets.check_factory(preset))
    reading.checked(lambda: check_contract(terms))
    return terms


def _urls(text: str) -> tuple[str, ...]:
    try:
        return values.rpc_urls(text)
    except ValueError:
        raise ValueError("a list of different addresses like https://node.example/key") from None


def _symbol(text: str) -> str:
    try:
        return canonical_symbol(text)
    except BadRequest:
        raise ValueError(
            "up to 32 letters, digits and . _ - with at most one /, like WETH/USDC"
        ) from None


def _exchange(text: str) -> str:
    if not _EXCHANGE.fullmatch(text.upper()) or text.upper() == DEMO_EXCHANGE:
        raise ValueError(f"up to 32 letters, digits and . _ -, and not {DEMO_EXCHANGE}")
    return text.upper()


def _name(text: str) -> str:
    if not text.isprintable() or not text.strip() or len(text) > 32:
        raise ValueError("up to 32 printable characters")
    return text.strip()


def _check_different(chains: Iterable[ChainTerms], places: Places) -> None:
    """Check that no chain is there twice."""
    seen: dict[object, int] = {}
    for number, chain in enumerate(chains):
        marks = [("rpc_urls", url, "hold each node once") for url in chain.rpc_urls]
        marks += [("name", chain.name, "be another")] if chain.name else []
        if chain.chain_id is not None:
            marks.append(("chain_id", str(chain.chain_id), "be another"))
        for key, value, rule in marks:
            other = seen.setdefault((key, value), number)
            if other != number:
                raise places.error(
                    f"{key} must {rule}, chain {other + 1} has the same: put the contracts of one "
                    "chain below one [[chain]]",
                    (number,),
                    key,
                )


def _named(chains: tuple[ChainTerms, ...]) -> tuple[ChainTerms, ...]:
    """Return the chains with names that differ: their nodes' hosts where none is given."""
    found: dict[str, ChainTerms] = {}
    taken = {chain.name for chain in chains}
    for chain in chains:
        usual = host_of(chain.rpc_urls[0]) if chain.rpc_urls else f"chain {chain.chain_id}"
        names = (usual, *(f"{usual} {number}" for number in range(2, len(chains) + 2)))
        name = chain.name or next(n for n in names if n not in found and n not in taken)
        found[name] = replace(chain, name=name)
    return tuple(found.values())
