"""Preset files as forms: TOML with the right keys and types, or an error that says the cure."""

import re
import tomllib
from functools import reduce
from typing import Any, Final, get_args

import msgspec

from appliance.chain.form import Kind, PresetForm
from appliance.chain.lines import Lines
from appliance.errors import ConfigError
from appliance.model import PriceRule

_TOML_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")
_PATH: Final = re.compile(r" - at `\$(?:\.event\[(\d+)\])?\.?([^`]*)`$")
_FIELD: Final = re.compile(r"Object (?:contains unknown|missing required) field `(\w+)`")
_TEXT: Final = "a name or a text in quotes"
_NUMBER: Final = "a table like { argument = …, scale = … }"
_PRICE: Final = 'a table like { argument = …, scale = … }, "volumes" or "remembered"'
_WANTED: Final = {
    "kind": f"one of {', '.join(get_args(Kind))}",
    "price_rule": f"one of {', '.join(get_args(PriceRule))}",
    "tokens": '"pair" or "key"',
    "event": "a list of [[event]] tables",
    "scale": 'a whole number, in a volume also "token0" or "token1"',
    "argument": "an argument's name or a list of names",
    "sign": "an argument's name or a list of names",
    "long": '"buy" or "sell"',
    "registry": "true or false",
    "side": "a table like { sign = … }",
    "execution": _PRICE,
    "after": _PRICE,
    **dict.fromkeys(("base", "quote", "fee", "pnl", "leverage", "value"), _NUMBER),
}
"""What each key must be; all others are texts."""


def form(text: str, lines: Lines) -> PresetForm:
    """Return the file's keys and values, each of the right type.

    Raises:
        ConfigError: names the file, the line, the event, the key, the value and the cure.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(str(error), lines) from error
    try:
        return msgspec.convert(values, PresetForm)
    except msgspec.ValidationError as error:
        raise _mistyped(str(error), values, lines) from error


def _broken(message: str, lines: Lines) -> ConfigError:
    match = _TOML_LINE.search(message)
    if match is None:  # the reader says "at end of document"
        return lines.error(f"must be TOML: {message}", line=lines.count)
    return lines.error(f"must be TOML: {message[: match.start()]}", line=int(match[1]))


def _mistyped(message: str, values: dict[str, Any], lines: Lines) -> ConfigError:
    """Return the error for msgspec's sentence, with its path and value in our words."""
    match = _PATH.search(message)
    event = int(match[1]) if match is not None and match[1] is not None else None
    path = match[2] if match is not None else ""
    field = _FIELD.match(message)
    if field is not None:
        name = ".".join(filter(None, (path, field[1])))
        cure = "must be left out, there is no such key" if "unknown" in message else "must be given"
        return lines.error(f"{name} {cure}", path.partition(".")[0] or field[1], event)
    value = reduce(lambda v, step: v[step], _steps(event, path), values)
    key = re.sub(r"\[\d+\]", "", path.rpartition(".")[2]) or "event"
    wanted = _WANTED.get(key, _TEXT)
    said = f"{path or 'event'} must be {wanted}, was {value!r:.80}"
    return lines.error(said, path.partition(".")[0], event)


def _steps(event: int | None, path: str) -> list[Any]:
    """Return the keys and indexes that lead to what msgspec's path names."""
    steps: list[Any] = [] if event is None else ["event", event]
    for word, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        steps.append(word or int(index))
    return steps
