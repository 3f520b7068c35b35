"""Find the files that come with the product: SQL, templates, static files, presets.

In a wheel they are packages below `appliance`; in a checkout, siblings of it.
"""

from functools import cache
from pathlib import Path


@cache
def folder(name: str) -> Path:
    """Return the folder `schema`, `static` or `templates`.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    here = Path(__file__).resolve().parent
    for candidate in (here / name, here.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"folder {name!r} is missing: reinstall the appliance")


@cache
def text(name: str, path: str) -> str:
    """Return the text of file `path` in folder `name`."""
    return (folder(name) / path).read_text(encoding="utf-8")
