"""The command line: `appliance serve | get | import | backup | verify | doctor | settings …`.

Every command finds a server that runs on its data directory (`server.json`) and works through it;
without one it opens the store itself. Heavy parts are imported by the command that needs them, so
that `--help` answers at once.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance import __version__, logs, settings
from appliance.errors import ApplianceError, BadRequest, Retryable
from appliance.settings import Settings
from appliance.signals import INTERRUPTED, Ending

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

log = logging.getLogger(__name__)
EXIT_FAILED: Final = 1
"""The same command may succeed later: the store is busy, the disk is full, the path is unknown."""
EXIT_REFUSED: Final = 2
"""What the caller must change: a setting, an argument, a file."""

EXIT_PIPE_CLOSED: Final = 141  # what they expect of a program whose reader went away


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        values = settings.read(flags=_flags(options))
        logs.configure(values.log_level, values.log_format)
        command: Callable[[Settings, argparse.Namespace], int] = options.command
        code = command(values, options)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except (ApplianceError, OSError) as error:
        print(f"appliance: {_sentence(error)}", file=sys.stderr)
        return EXIT_FAILED if isinstance(error, Retryable | OSError) else EXIT_REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {error.filename}" if error.filename else "")
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="appliance", description="Trading charts for the contracts of a DEX, from one process."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _serve_parser(commands)
    _get_parser(commands)
    _import_parser(commands)
    _backup_parser(commands)
    _restore_parser(commands)
    _verify_parser(commands)
    _doctor_parser(commands)
    _settings_parser(commands)
    _disk_parser(commands)
    return parser


def _command(
    commands: "Commands", name: str, help: str, run: Callable[[Settings, argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(command=run)
    _add_flag(parser, "data_dir")
    return parser


def _add_flag(parser: argparse.ArgumentParser, field: str) -> None:
    row = next(row.metadata for row in settings.rows() if row.name == field)
    parser.add_argument(row["flag"], dest=row["name"], metavar=row["name"], help=row["help"])


def _flags(options: argparse.Namespace) -> dict[str, str]:
    """Return the settings given on the command line, by name."""
    names = {row.metadata["name"] for row in settings.rows()}
    return {k: v for k, v in vars(options).items() if k in names and v is not None}


def _print(text: str) -> None:
    print(text)


# -- serve --


def _serve_parser(commands: "Commands") -> None:
    parser = _command(commands, "serve", "Run the appliance.", _serve)
    for field in ("bind_host", "port"):
        _add_flag(parser, field)
    demo = parser.add_mutually_exclusive_group()
    demo.add_argument(
        "--demo", dest="DEMO", action="store_const", const="on", help="Run the simulated markets."
    )
    demo.add_argument("--no-demo", dest="DEMO", action="store_const", const="off", help="Do not.")


def _serve(values: Settings, options: argparse.Namespace) -> int:
    ending = Ending()
    ending.remember()
    for notice in settings.notices(os.environ):
        log.warning("%s", notice)
    from appliance.app import serve

    serve(values, ending)
    return 0


# -- get --


def _get_parser(commands: "Commands") -> None:
    parser = _command(commands, "get", "Answer one GET request, without a socket.", _get)
    parser.add_argument("path", metavar="PATH", help="Like /api/tradingview/config.")


def _get(values: Settings, options: argparse.Namespace) -> int:
    from appliance import running

    if not options.path.startswith("/"):
        raise BadRequest(f"PATH must begin with /, was {options.path!r}", "path")
    if server := running.find(values.data_dir):
        status, body = running.get(server, options.path)
    else:
        from appliance.app import answer

        status, body = asyncio.run(answer(values, options.path))
    sys.stdout.buffer.write(body if body.endswith(b"\n") else body + b"\n")
    return 0 if status < 400 else 1


# -- disk --


def _disk_parser(commands: "Commands") -> None:
    parser = _command(commands, "disk", "Say how much space is free, and what for.", _disk)
    parser.add_argument(
        "--release-ballast",
        action="store_true",
        help="Remove the ballast, so that a full disk has room for pruning.",
    )


def _disk(values: Settings, options: argparse.Namespace) -> int:
    from appliance.store.disk import Disk

    others = [values.store_path] if values.store_path else []
    disk = Disk(values.data_dir, values.disk_floor, values.ballast_size, others)
    if options.release_ballast:
        _print(f"ballast  {disk.release():>18,} bytes given back")
    elif disk.ballast.exists():
        _print(f"ballast  {disk.ballast.stat().st_size:>18,} bytes in {disk.ballast}")
    room = disk.room()
    _print(f"free     {room.free:>18,} bytes")
    _print(f"floor    {room.floor:>18,} bytes (DISK_FLOOR); below it, nothing is written")
    return 0


# -- settings --


def _settings_parser(commands: "Commands") -> None:
    parser = _command(commands, "settings", "Print all settings and their values.", _settings)
    parser.add_argument("--markdown", action="store_true", help="Print docs/settings.md instead.")


def _settings(values: Settings, options: argparse.Namespace) -> int:
    if options.markdown:
        sys.stdout.write(settings.document())
        return 0
    rows = settings.redacted(values)
    width = max(len(name) for name, _, _ in rows)
    for name, value, help_text in rows:
        _print(f"{name:<{width}}  {value}\n{'':<{width}}  {help_text}")
    for notice in settings.notices(os.environ):
        _print(notice)
    return 0


# -- import --


def _import_parser(commands: "Commands") -> None:
    help_text = "Import trades, or raw contract logs, from a CSV, NDJSON or Parquet file."
    parser = _command(commands, "import", help_text, _import)
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--market", metavar="SYMBOL", default="", help="The market of all rows.")
    parser.add_argument(
        "--map",
        metavar="FIELD=COLUMN",
        action="append",
        default=[],
        help="Which column holds a field of the trades (repeatable); others are guessed.",
    )
    parser.add_argument(
        "--exchange", metavar="NAME", default="", help="Of new markets; default: by preset."
    )
    raw = parser.add_argument_group("raw logs")
    raw.add_argument(
        "--preset", metavar="NAME", help="Like vamm or uniswap-v3, or your .toml file."
    )
    raw.add_argument("--address", metavar="0x…", default="", help="The contract of all logs.")
    raw.add_argument(
        "--key", metavar="ID", default="", help="The market inside a contract that holds many."
    )
    raw.add_argument(
        "--decimals", metavar="D0,D1", default="", help="Of token0 and token1; default 18,18."
    )
    raw.add_argument("--invert", action="store_true", help="token1 is the base, token0 the quote.")
    raw.add_argument(
        "--price",
        choices=["execution", "after"],
        help="What candles show: what the trader paid, or the price that the trade left.",
    )
    raw.add_argument("--chain-id", metavar="N", default="", help="Default 1, Ethereum.")


def _import(values: Settings, options: argparse.Namespace) -> int:
    from appliance.imports import run

    _print(run(values, options))
    return 0


# -- backup and restore --


def _backup_parser(commands: "Commands") -> None:
    help_text = "Back up the embedded store into one archive, also while the server runs."
    parser = _command(commands, "backup", help_text, _backup)
    parser.add_argument(
        "--to", metavar="FOLDER", type=Path, help="Where the archive goes; default BACKUP_DIR."
    )


def _backup(values: Settings, options: argparse.Namespace) -> int:
    from appliance.recovery import backup

    _print(backup(values, options))
    return 0


def _restore_parser(commands: "Commands") -> None:
    help_text = "Restore an archive into an empty data directory."
    parser = _command(commands, "restore", help_text, _restore)
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--repair", action="store_true", help="Make candles anew that were not those of the trades."
    )


def _restore(values: Settings, options: argparse.Namespace) -> int:
    from appliance.recovery import restore

    _print(restore(values, options))
    return 0


# -- verify --


def _verify_parser(commands: "Commands") -> None:
    help_text = "Compare every candle with the one that its trades make, also while it serves."
    parser = _command(commands, "verify", help_text, _verify)
    parser.add_argument("--repair", action="store_true", help="Make unequal days anew.")
    parser.add_argument("--recent", action="store_true", help="Read the last seven days only.")


def _verify(values: Settings, options: argparse.Namespace) -> int:
    from appliance.verification import verify

    text, well = verify(values, options)
    _print(text)
    return 0 if well else EXIT_FAILED


# -- doctor --


def _doctor_parser(commands: "Commands") -> None:
    help_text = "Examine the endpoints of the chain, and say what to set and what to drop."
    parser = _command(commands, "doctor", help_text, _doctor)
    parser.add_argument(
        "--rpc",
        metavar="URL",
        nargs="+",
        action="extend",
        default=[],
        help="Endpoints of one chain to examine; default: those that are configured.",
    )
    parser.add_argument(
        "--address",
        metavar="0x…",
        nargs="+",
        action="extend",
        default=[],
        help="Contracts whose newest logs are decoded; default: those that are configured.",
    )
    parser.add_argument(
        "--preset", metavar="NAME", help="Of --address, or your .toml file; default PRESET."
    )
    parser.add_argument("--json", action="store_true", help="Print JSON.")


def _doctor(values: Settings, options: argparse.Namespace) -> int:
    from appliance.doctor.command import run

    text, well = run(values, options)
    _print(text)
    return 0 if well else EXIT_FAILED
