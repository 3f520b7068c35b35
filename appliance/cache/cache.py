"""Both levels of the cache, as the settings want them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from appliance.cache.disk import Disk
from appliance.cache.memory import ANSWERS, Memory
from appliance.metrics import Metrics
from appliance.settings import Settings

_MB: Final = 1 << 20
_PART: Final = 4
"""One byte in so many is for answers."""


@dataclass(frozen=True, slots=True)
class Cache:
    """What is kept in memory, what of it in the form that is sent, and what on disk.

    Answers are made of what is in memory in no time, so they have a smaller part of their own.
    """

    memory: Memory[Any]
    answers: Memory[Any]
    disk: Disk


def cache_of(settings: Settings, metrics: Metrics) -> Cache:
    """Return the cache; nothing is opened yet.

    Where the store is a server, others may change it while no process of ours runs: then nothing
    is kept on disk.
    """
    folder = _folder(settings) if settings.store_path is not None else None
    most = settings.cache_memory_mb * _MB
    return Cache(
        Memory(most - most // _PART, metrics),
        Memory(most // _PART, metrics, ANSWERS),
        Disk(folder, settings.cache_disk_mb * _MB, metrics),
    )


def _folder(settings: Settings) -> Path | None:
    if not settings.cache_url:
        return settings.data_dir / "cache"
    parts = urlsplit(settings.cache_url)
    return Path(unquote(parts.path)) if parts.scheme == "disk" else None
