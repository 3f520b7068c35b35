"""Places: the lines at which a file of markets says what, so that a mistake is found."""

import re
from typing import Final

from appliance.errors import ConfigError

_CHAIN: Final = re.compile(r"\s*\[\[\s*chain\s*\]\]")
_CONTRACT: Final = re.compile(r"\s*\[\[\s*chain\s*\.\s*contract\s*\]\]")
_KEY: Final = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")
Entry = tuple[int, ...]
"""Indexes from 0: () the whole file, (chain,) or (chain, contract)."""


class Places:
    """Line numbers, from 1, of each entry and its keys.

    TOML's reader keeps no lines. This one looks only at how lines begin, and where that tells too
    little (tables written inline, keys that are missing) it names the nearest line above.
    """

    def __init__(self, text: str, file: str) -> None:
        """Find all entries of `text`; `file` is its name in errors."""
        self._file = file
        self._lines: dict[tuple[Entry, str], int] = {((), ""): 1}
        self.last = max(1, len(text.splitlines()))
        chain, contract = -1, -1
        at: Entry = ()
        for number, line in enumerate(text.splitlines(), 1):
            if _CHAIN.match(line):
                chain, contract = chain + 1, -1
                at = (chain,)
                self._lines[at, ""] = number
            elif _CONTRACT.match(line):
                contract += 1
                at = (chain, contract)
                self._lines[at, ""] = number
            elif match := _KEY.match(line):
                self._lines.setdefault((at, match[1]), number)

    def error(self, message: str, at: Entry = (), key: str = "", line: int = 0) -> ConfigError:
        """Return the error that says where it is: at `line` if given, else where `key` stands."""
        label = "".join(
            f"{what} {index + 1}, " for what, index in zip(("chain", "contract"), at, strict=False)
        )
        where = f"{self._file}, line {line or self._line(at, key)}: "
        return ConfigError(where + (f"{label[:-2]}: " if label else "") + message)

    def _line(self, at: Entry, key: str) -> int:
        while (at, key) not in self._lines:
            if key:
                key = ""
            else:
                at = at[:-1]
        return self._lines[at, key]
