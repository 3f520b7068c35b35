"""Settings from the environment: secrets from files and older spellings included.

It is read once, at start. A wrong value stops the start with name, value and cure.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from appliance.errors import ConfigError
from appliance.settings.names import (
    ALIASES,
    FORBIDDEN,
    SECRETS,
    UNUSED,
    older_spellings,
    overruled,
)
from appliance.settings.table import Settings, rows


def read(
    environment: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of `environment` (default: the process's), overruled by `flags`.

    `flags` maps names of settings to text. Raises ConfigError for a wrong value.
    """
    secrets = [row.metadata["name"] for row in rows() if row.metadata["secret"]]
    source = _variables(os.environ if environment is None else environment, secrets)
    found: dict[str, Any] = {}
    for row in rows():
        name = row.metadata["name"]
        if name in (flags or {}):
            found[row.name] = _parsed(row, name, (flags or {})[name])
        elif spelled := next((n for n in (name, ALIASES.get(name)) if n in source), None):
            found[row.name] = _parsed(row, spelled, source[spelled])
    return Settings(**found)


def _parsed(row: dataclasses.Field[Any], name: str, text: str) -> Any:
    """Return the value of `text`, which was given under `name`."""
    try:
        return row.metadata["parse"](text.strip())
    except ValueError as error:
        was = "(not shown)" if row.metadata["secret"] else repr(text)
        raise ConfigError(f"{name} must be {error}, was {was}") from None


def notices(environment: Mapping[str, str]) -> list[str]:
    """Return one line for each variable that is set and recognized, but has no effect here."""
    reasons = UNUSED | overruled(environment)
    return [
        f"{name}: {reason}"
        for name, reason in reasons.items()
        if environment.get(name) or environment.get(f"{name}_FILE")
    ]


def _variables(environment: Mapping[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """Return the variables that are not empty, with the contents of files for `secrets`.

    Raises:
        ConfigError: a file cannot be read, a secret is given twice, or a name is forbidden.
    """
    source = {name: text for name, text in environment.items() if text}
    for name in (*secrets, *SECRETS):
        path = source.get(f"{name}_FILE")
        if path is not None and name in source:
            raise ConfigError(
                f"{name} must be given once, was given also as {name}_FILE: unset one"
            )
        if path is not None:
            source[name] = _secret(name, path)
    source = older_spellings(source) | source
    _refuse_forbidden(source)
    return source


def _secret(name: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:  # also bytes that are no text
        reason = getattr(error, "strerror", None) or "not UTF-8 text"  # never what was read
        raise ConfigError(
            f"{name}_FILE must name a readable file, was {path!r}: {reason}"
        ) from None
    if not text:
        raise ConfigError(f"{name}_FILE must name a file that holds the value, {path!r} is empty")
    return text


def _refuse_forbidden(source: Mapping[str, str]) -> None:
    """Raise ConfigError for names whose silent absence would be dangerous."""
    for name, reason in FORBIDDEN.items():
        if source.get(name) or source.get(f"{name}_FILE"):
            raise ConfigError(f"{name}: {reason}")
