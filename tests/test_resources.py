"""Finding the files that come with the product."""

from pathlib import Path

import pytest

from appliance import resources

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["schema", "static", "templates"])
def test_folders_lie_beside_the_package_in_a_checkout(name: str) -> None:
    assert ROOT / name == resources.folder(name)


def test_folders_lie_inside_the_package_when_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those are taken first: a stranger's `schema` beside them means nothing."""
    package = tmp_path / "site-packages" / "appliance"
    for folder in (package / "schema", package.parent / "schema"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    assert package / "schema" == resources.folder.__wrapped__("schema")


def test_an_incomplete_installation_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="'nothing' is missing: reinstall the appliance"):
        resources.folder("nothing")


def test_texts_are_read_as_utf_8() -> None:
    path = "queries/select_markets.sql"
    assert (ROOT / "schema" / path).read_text(encoding="utf-8") == resources.text("schema", path)
