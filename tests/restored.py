"""Restore archives elsewhere and read what came out, in processes of their own.

    python -m tests.restored DATA_DIR QUERY

prints the rows of the query as JSON: one process can hold one store only.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from appliance.settings import Settings
from appliance.store.engine import Engine
from tests.processes import PATIENCE_S, command, environment


def restored(archives: list[Path], folder: Path) -> list[Path]:
    """Restore archives side by side and return their data directories."""
    targets = [folder / path.name.removesuffix(".tar.zst") for path in archives]
    words = [
        command("restore", path, "--data-dir", target)
        for path, target in zip(archives, targets, strict=True)
    ]
    for code, said in outcomes(words):
        assert (0, True) == (code, "; candles equal trades: " in said), said
    return targets


def ask(data_dirs: list[Path], query: str) -> list[list[list[Any]]]:
    """Return the rows of a query on each of these directories."""
    module = [sys.executable, "-m", "tests.restored"]
    answers = []
    for code, said in outcomes([[*module, str(path), query] for path in data_dirs]):
        assert code == 0, said
        answers.append(msgspec.json.decode(said))
    return answers


def outcomes(words: list[list[str]]) -> list[tuple[int, str]]:
    """Run commands side by side; return the exit code of each and what it said."""
    processes = _begun(words)
    said = ["".join(process.communicate(timeout=PATIENCE_S)) for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def _begun(words: list[list[str]]) -> "list[subprocess.Popen[str]]":
    return [
        subprocess.Popen(
            each,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            cwd=Path(__file__).parents[1],
        )
        for each in words
    ]


def main(data_dir: str, query: str) -> None:
    """Print the rows of the query."""
    engine = Engine(Settings(data_dir=Path(data_dir)).store_dsn)
    rows = engine.open().query(query).result_rows
    sys.stdout.buffer.write(msgspec.json.encode(rows))
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
