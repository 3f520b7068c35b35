"""The variables that settings are read from: secrets from files and older spellings included."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from appliance.errors import ConfigError
from appliance.settings_names import FORBIDDEN, SECRETS, older_spellings


def variables(environment: Mapping[str, str], secrets: Iterable[str]) -> dict[str, str]:
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
