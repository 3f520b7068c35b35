"""Run the benchmarks named on the command line, or all of them."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file by make

from bench import (
    backfill,
    decode,
    history,
    insert,
    page,
    peers,
    post,
    search,
    stream,
    summaries,
    warm,
)

BENCHMARKS: Final[dict[str, Callable[[Path], None]]] = {
    "insert": insert.run,
    "post": post.run,
    "history": history.run,
    "backfill": backfill.run,
    "decode": decode.run,
    "page": page.run,
    "search": search.run,
    "stream": stream.run,
    "summaries": summaries.run,
    "warm": warm.run,
    "peers": peers.run,
}


def main() -> None:
    """Print the machine, then each benchmark's table."""
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.platform()}")
    for name in sys.argv[1:] or BENCHMARKS:
        module = sys.modules[BENCHMARKS[name].__module__]
        print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}")
        with tempfile.TemporaryDirectory() as folder:
            BENCHMARKS[name](Path(folder))


if __name__ == "__main__":
    main()
