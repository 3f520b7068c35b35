"""Lines: where in a preset's file a key stands, so that a mistake is found in an editor."""

import re
from typing import Final

from appliance.errors import ConfigError

_EVENT: Final = re.compile(r"\s*\[\[\s*event\s*\]\]")
_TABLE: Final = re.compile(r"\s*\[\s*event\s*\.\s*(\w+)")
_OTHER: Final = re.compile(r"\s*\[+\s*(\w+)")
_KEY: Final = re.compile(r"""\s*["']?(\w+)["']?\s*[=.]""")
_SIGNATURE: Final = re.compile(r"""\s*signature\s*=\s*["']\s*(?:event\s+)?([\w$]+)""")


class Lines:
    """Line numbers, from 1, of the keys of each [[event]] and of those before the first.

    TOML's reader keeps no lines. This one looks only at how lines begin, and where that tells
    too little (events written inline, keys that are missing) it names the nearest line above.
    """

    def __init__(self, text: str, file: str) -> None:
        """Find all keys of `text`; `file` is its name in errors."""
        self._file = file
        self._places: list[dict[str, int]] = [{}]
        self._names: list[str] = [""]
        self.count = 1
        for number, line in enumerate(text.splitlines(), 1):
            self.count = number
            if _EVENT.match(line):
                self._places.append({"": number})
                self._names.append("")
            elif match := _TABLE.match(line) or _KEY.match(line):
                self._places[-1].setdefault(match[1], number)
            elif match := _OTHER.match(line):
                self._places[0].setdefault(match[1], number)
            if match := _SIGNATURE.match(line):
                self._names[-1] = match[1]

    def error(
        self, message: str, key: str = "", event: int | None = None, line: int = 0
    ) -> ConfigError:
        """Return the error that says in which line (unless given) and event (from 0) it is."""
        found, label = self._place(key, event)
        return ConfigError(f"{self._file}, line {line or found}: {label}{message}")

    def _place(self, key: str, event: int | None) -> tuple[int, str]:
        if event is None:
            return self._places[0].get(key, 1), ""
        if event + 1 >= len(self._places):
            return self._places[0].get("event", 1), f"event number {event + 1}: "
        places, name = self._places[event + 1], self._names[event + 1]
        return places.get(key, places[""]), f"event {name or f'number {event + 1}'}: "
