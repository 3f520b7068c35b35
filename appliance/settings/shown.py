"""What is shown of settings: their values, secrets redacted, and `docs/settings.md`."""

import dataclasses
from typing import Any

from appliance.settings.names import ALIASES, FORBIDDEN, UNUSED
from appliance.settings.table import Settings, rows

_HEAD = """# Settings

Made by `appliance settings --markdown` from `appliance/settings/table.py`; change it there.
Each setting is an environment variable, some are flags of `appliance serve` too; a flag beats the
variable. Secrets may come from a file that `NAME_FILE` names. A wrong value stops the start.
"""
_OLDER = """
## Names of other versions

`CLICKHOUSE_HOST`, `CLICKHOUSE_USER`, `CLICKHOUSE_PASSWORD` (or `CLICKHOUSE_PASSWORD_FILE`),
`CLICKHOUSE_DATABASE` and `CLICKHOUSE_SECURE` together spell `STORE_URL`, where that is not set.
These names are recognized and have no effect; each one that is set is answered at start:
"""


def redacted(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (name, value, help) of every setting, secrets replaced."""
    return [(row.metadata["name"], _shown(row, settings), row.metadata["help"]) for row in rows()]


def _shown(row: dataclasses.Field[Any], settings: Settings) -> str:
    value = getattr(settings, row.name)
    if row.metadata["secret"] and value:
        return str(row.metadata["secret"](value))
    return _plain(value)


def _plain(value: Any) -> str:
    """Return a value that is no secret as the environment would spell it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def document() -> str:
    """Return `docs/settings.md`: every setting, and every other name that is recognized."""
    default, pipe = Settings(), r"\|"  # a bare one would end the cell
    lines = [_HEAD, "| Name | Default | Flag | Meaning |", "|---|---|---|---|"]
    for row, (name, value, help_text) in zip(rows(), redacted(default), strict=True):
        more = f" Also as `{ALIASES[name]}`." if name in ALIASES else ""
        more += f" Secret; also as `{name}_FILE`." if row.metadata["secret"] else ""
        cells = (f"`{text}`" if text else "" for text in (value, row.metadata["flag"]))
        lines.append(f"| `{name}` | {' | '.join(cells)} | {help_text.replace('|', pipe)}{more} |")
    lines += [_OLDER, "| Name | What happens |", "|---|---|"]
    lines += [f"| `{name}` | stops the start: {text} |" for name, text in FORBIDDEN.items()]
    lines += [f"| `{name}` | {UNUSED[name]} |" for name in sorted(UNUSED)]
    return "\n".join(lines) + "\n"
