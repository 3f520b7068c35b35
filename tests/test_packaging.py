"""The package is complete, pinned, and says one thing in every file that configures it."""

import configparser
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import summary
import vendor

ROOT = Path(__file__).resolve().parent.parent
ANVIL = "1.7.1"
LIGHTWEIGHT_CHARTS = "5.2.1"
LIGHTWEIGHT_CHARTS_SHA256 = "1bb1ee79f9d4dd17261b53d930f7a8995748276f80e7ba0e24412b5068062f5f"

FakeNpm = Callable[[str], Path]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.strip().splitlines()]


def _pins(lines: list[str]) -> dict[str, str]:
    """Return version by normalized name; a line that is no exact pin is an error."""
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def _file_pins(name: str) -> dict[str, str]:
    return _pins(_lines(_text(name)))


# -- the browser files --


@pytest.fixture
def node_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node_modules folder of small files that `vendor.FILES` accepts."""
    folder = tmp_path / "node_modules"
    files = []
    for file in vendor.FILES:
        content = f"the content of {file.name}".encode()
        (folder / file.source).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.source).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        files.append(vendor.VendorFile(file.source, file.name, digest))
    monkeypatch.setattr(vendor, "FILES", tuple(files))
    return folder


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    """Put a shell script in npm's place, with nothing else on PATH but the system's tools."""

    def install(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        npm = folder / "npm"
        npm.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        npm.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return npm

    return install


def test_the_chart_library_is_pinned_by_the_agreed_digest() -> None:
    """The digest is the one of DASHBOARD.md, whatever a new lock file brings."""
    digests = {file.name: file.sha256 for file in vendor.FILES}
    assert digests["lightweight-charts.mjs"] == LIGHTWEIGHT_CHARTS_SHA256


def test_files_of_this_checkout_are_the_tested_ones() -> None:
    """What the pages of this checkout load has the right content."""
    assert vendor.is_complete()


def test_npm_fills_an_empty_folder(tmp_path: Path, node_modules: Path, fake_npm: FakeNpm) -> None:
    """One `npm ci` without scripts, from our lock, gives every file and the notice."""
    fake_npm(
        f'echo "$@" >{tmp_path}/arguments; cp package-lock.json {tmp_path}; cp -r {node_modules} .'
    )
    target = tmp_path / "static" / "vendor"

    vendor.ensure(target)

    assert vendor.is_complete(target)
    assert "TradingView" in (target / "NOTICE").read_text(encoding="utf-8")
    arguments = (tmp_path / "arguments").read_text(encoding="utf-8").split()
    assert arguments[:3] == ["ci", "--ignore-scripts", "--omit=dev"]
    assert (tmp_path / "package-lock.json").read_text() == _text("packaging/package-lock.json")


def test_right_files_are_left_alone(tmp_path: Path, node_modules: Path, fake_npm: FakeNpm) -> None:
    """A second install neither runs npm nor touches a file."""
    fake_npm("exit 1")
    target = tmp_path / "vendor"
    vendor.install(node_modules, target)
    before = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}

    vendor.ensure(target)

    assert before == {path.name: path.stat().st_mtime_ns for path in target.iterdir()}


def test_a_file_changed_here_is_fetched_again(
    tmp_path: Path, node_modules: Path, fake_npm: FakeNpm
) -> None:
    """A digest that does not match is as good as a missing file."""
    target = tmp_path / "vendor"
    vendor.install(node_modules, target)
    (target / "lightweight-charts.mjs").write_text("changed", encoding="utf-8")
    fake_npm(f"cp -r {node_modules} .")

    vendor.ensure(target)

    assert vendor.is_complete(target)


def test_a_tampered_file_is_refused(tmp_path: Path, node_modules: Path, fake_npm: FakeNpm) -> None:
    """Other content than ours never reaches the pages, and the old files stay."""
    target = tmp_path / "vendor"
    vendor.install(node_modules, target)
    font = target / "ibm-plex-sans.woff2"
    font.write_text("changed", encoding="utf-8")
    (node_modules / vendor.FILES[0].source).write_text("tampered", encoding="utf-8")
    fake_npm(f"cp -r {node_modules} .")

    with pytest.raises(vendor.VendorError, match=r"must have sha256 .*, was .*Do not use it"):
        vendor.ensure(target)

    assert font.read_text(encoding="utf-8") == "changed"
    assert not vendor.is_complete(target)


def test_a_package_without_the_file_is_named(tmp_path: Path, node_modules: Path) -> None:
    """A renamed file in a new release gives a sentence, not a half-filled folder."""
    (node_modules / vendor.FILES[-1].source).unlink()

    with pytest.raises(vendor.VendorError, match="no longer contains it"):
        vendor.install(node_modules, tmp_path / "vendor")

    assert not (tmp_path / "vendor").exists()


def test_a_failing_npm_gives_its_reason_and_ours(tmp_path: Path, fake_npm: FakeNpm) -> None:
    """An unreachable registry is named, with npm's own words."""
    fake_npm("echo 'npm error code ENOTFOUND' >&2; exit 1")

    with pytest.raises(vendor.VendorError, match=r"registry.*reachable(.|\n)*ENOTFOUND"):
        vendor.ensure(tmp_path / "vendor")

    assert not (tmp_path / "vendor").exists()


def test_a_hanging_npm_is_stopped(
    tmp_path: Path, fake_npm: FakeNpm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that never answers does not hold the install for ever."""
    fake_npm("exec sleep 60")
    monkeypatch.setattr(vendor, "NPM_TIMEOUT_S", 0.1)

    with pytest.raises(vendor.VendorError, match="did not end within"):
        vendor.ensure(tmp_path / "vendor")


def test_a_missing_npm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without npm the sentence says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(vendor.VendorError, match=r"install Node\.js"):
        vendor.ensure(tmp_path / "vendor")


def test_the_image_takes_the_files_of_its_npm_stage(tmp_path: Path) -> None:
    """`python packaging/vendor.py FOLDER` ends with one sentence when the folder is wrong."""
    done = subprocess.run(
        [sys.executable, ROOT / "packaging" / "vendor.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("vendor: ")
    assert "Traceback" not in done.stderr


def _run_hook(code: str, path: str) -> "subprocess.CompletedProcess[str]":
    """Run backend code in a process of its own, as pip does."""
    return subprocess.run(
        [sys.executable, "-c", f"import vendor, backend\n{code}"],
        env={"PATH": path, "PYTHONPATH": str(ROOT / "packaging")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["wheel", "editable", "sdist"])
def test_every_build_completes_the_files_first(tmp_path: Path, kind: str) -> None:
    """No build starts without them, and its failure is a sentence."""
    done = _run_hook(
        f"vendor.ensure.__defaults__ = (vendor.Path({str(tmp_path / 'vendor')!r}), vendor.HERE)\n"
        f"backend.build_{kind}({str(tmp_path)!r})",
        path=str(tmp_path),
    )
    assert done.returncode == 1
    assert "chart-appliance: npm was not found" in done.stderr
    assert "Traceback" not in done.stderr


def test_npm_is_required_only_where_it_is_needed(tmp_path: Path) -> None:
    """The 60 MB of Node.js are asked for only without npm and without the files."""
    ask = "print('nodejs' in str(backend.get_requires_for_build_editable()))"
    missing = "vendor.is_complete = lambda: False\n"
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\n", encoding="utf-8")
    npm.chmod(0o755)
    nowhere = str(tmp_path / "nowhere")

    assert _run_hook(missing + ask, nowhere).stdout.splitlines()[-1] == "True"
    assert _run_hook(missing + ask, str(tmp_path)).stdout.splitlines()[-1] == "False"
    assert _run_hook(ask, nowhere).stdout.splitlines()[-1] == "False"


# -- pins --


def test_the_npm_lock_is_complete_and_public() -> None:
    """Each package has its hash, none an address that only our network knows."""
    lock = json.loads(_text("packaging/package-lock.json"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    addresses = [entry["resolved"] for entry in packages.values() if "resolved" in entry]
    assert [each for each in addresses if not each.startswith("https://registry.npmjs.org/")] == []
    assert packages["node_modules/lightweight-charts"]["version"] == LIGHTWEIGHT_CHARTS


def test_package_json_and_its_lock_agree() -> None:
    """`npm ci` refuses a lock of other versions; so do we, before an image is built."""
    wanted = json.loads(_text("packaging/package.json"))["dependencies"]
    locked = json.loads(_text("packaging/package-lock.json"))["packages"]
    assert wanted == {name: locked[f"node_modules/{name}"]["version"] for name in wanted}


def test_the_npm_lock_of_the_tests_is_complete_and_exact() -> None:
    """The node that tests follow is pinned by its digest, like every tool beside it."""
    listed = json.loads(_text("tests/js/package.json"))
    wanted = listed["devDependencies"] | listed["optionalDependencies"]
    packages = json.loads(_text("tests/js/package-lock.json"))["packages"]
    locked = {name: entry for name, entry in packages.items() if name}

    assert wanted == {name: locked[f"node_modules/{name}"]["version"] for name in wanted}
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())
    assert locked["node_modules/@foundry-rs/anvil-linux-amd64"]["version"] == ANVIL


def test_constraints_pin_every_runtime_dependency() -> None:
    """setup.cfg and the lock name the same versions."""
    wanted = _pins(_lines(_setup()["options"]["install_requires"]))
    locked = _file_pins("packaging/constraints.txt")
    assert wanted == {name: locked.get(name) for name in wanted}


def test_constraints_pin_every_test_dependency() -> None:
    """The tools of `make test` are the same next year."""
    wanted = _pins(_lines(_setup()["options.extras_require"]["test"]))
    locked = _file_pins("packaging/constraints.txt") | _file_pins("packaging/constraints-test.txt")
    assert wanted == {name: locked.get(name) for name in wanted}


def test_the_two_constraint_files_do_not_overlap() -> None:
    """A package is pinned once: the image must not carry another version than the tests used."""
    product = _file_pins("packaging/constraints.txt")
    tools = _file_pins("packaging/constraints-test.txt")
    assert set() == product.keys() & tools.keys()


def test_setuptools_is_pinned_once() -> None:
    """The build and the environment (Sanic needs it) use one setuptools."""
    requires = tomllib.loads(_text("pyproject.toml"))["build-system"]["requires"]
    locked = _file_pins("packaging/constraints.txt")
    assert requires == [f"setuptools=={locked['setuptools']}"]


# -- one story in every file --


def test_pyproject_holds_the_build_system_only() -> None:
    """Everything else belongs to setup.cfg."""
    assert list(tomllib.loads(_text("pyproject.toml"))) == ["build-system"]


def test_every_package_is_listed() -> None:
    """A folder of code that setup.cfg forgets works here and is missing in the wheel."""
    code = {path.parent for path in (ROOT / "appliance").rglob("__init__.py")}
    expected = {".".join(folder.relative_to(ROOT).parts) for folder in code}
    data = {"appliance.schema", "appliance.static", "appliance.templates"}
    assert expected | data == set(_lines(_setup()["options"]["packages"]))


def test_the_port_is_the_same_everywhere() -> None:
    """EXPOSE, health check and published port."""
    dockerfile = _text("Dockerfile")
    assert re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE) == ["3000"]
    assert "os.environ.get('PORT', '3000')" in dockerfile
    assert '"127.0.0.1:3000:3000"' in _text("docker-compose.yml")


def test_the_data_directory_is_the_volume() -> None:
    """What is stored elsewhere would die with the container."""
    dockerfile = _text("Dockerfile")
    assert re.findall(r"DATA_DIR=(\S+)", dockerfile) == ["/data"]
    assert re.findall(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE) == ["/data"]
    assert re.findall(r"^ +- data:(\S+)$", _text("docker-compose.yml"), re.MULTILINE) == ["/data"]


def test_the_python_version_is_the_same_everywhere() -> None:
    """The image runs what the tests ran on: the oldest version that setup.cfg admits."""
    setup = _setup()
    oldest = setup["options"]["python_requires"].removeprefix(">=")
    images = re.findall(r"^FROM python:([\d.]+)-", _text("Dockerfile"), re.MULTILINE)
    assert {oldest} == set(images)
    assert setup["mypy"]["python_version"] == oldest
    assert tomllib.loads(_text(".ruff.toml"))["target-version"] == f"py{oldest.replace('.', '')}"
    assert f"({oldest.replace('.', ', ')})" in _text("Makefile")


def test_the_image_runs_unprivileged_and_stops_politely() -> None:
    """No root, an exec-form entry point that receives SIGTERM itself."""
    dockerfile = _text("Dockerfile")
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["appliance"\]\nCMD \["serve"\]$', dockerfile, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in dockerfile
    assert _setup()["options.entry_points"]["console_scripts"].strip().startswith("appliance = ")


def test_the_image_context_holds_what_the_dockerfile_copies() -> None:
    """A COPY of something that .dockerignore hides fails only at build time."""
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", _text("Dockerfile"), re.MULTILINE)
        for word in line.split()
    }
    allowed = {line[1:] for line in _lines(_text(".dockerignore")) if line.startswith("!")}
    assert {path.split("/")[0] for path in copied} == allowed


def test_the_top_level_holds_what_the_owner_decided() -> None:
    """A new entry in the first folder people see is a decision, not an accident."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    expected = {
        ".ci", ".dockerignore", ".gitignore", ".ruff.toml",
        "CHANGELOG.md", "Dockerfile", "Makefile", "README.md",
        "appliance", "bench", "docker-compose.yml", "docs", "packaging", "pyproject.toml",
        "schema", "setup.cfg", "static", "templates", "tests",
    }  # fmt: skip
    assert set() == {Path(name).parts[0] for name in listed} - expected


# -- the commands people type --


def _step(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ROOT / "packaging" / "step.sh", "label", "sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_green_step_is_one_line() -> None:
    """Name, verdict and time; what the tool said stays out of the way."""
    done = _step("echo chatter; echo noise >&2")
    assert done.returncode == 0
    assert re.fullmatch(r"label +ok +\d+\.\d s\n", done.stdout)
    assert done.stderr == ""


def test_a_red_step_shows_everything_and_keeps_the_status() -> None:
    """The first failure must be readable and must stop make."""
    done = _step("echo chatter; echo noise >&2; exit 3")
    assert done.returncode == 3
    assert re.fullmatch(r"label +FAILED +\d+\.\d s\nchatter\nnoise\n", done.stdout)


def test_make_run_without_python_names_the_one_apt_line(tmp_path: Path) -> None:
    """A machine without a fit Python gets the cure, and no half-made .venv."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("make", "sh", "find"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)

    done = subprocess.run(
        [tools / "make", "run"],
        cwd=checkout,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "sudo apt-get install --yes python3 python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


# -- what CI reports --


def _report(folder: Path, *cases: str) -> Path:
    path = folder / "report.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return path


BROWSER_RAN = '<testcase classname="tests.browser.test_page" name="test_a" />'
BROWSER_SKIPPED = (
    '<testcase classname="" name="tests.browser.test_page">'
    '<skipped type="pytest.skip" message="no browser" /></testcase>'
)
NODE_RAN = '<testcase classname="tests.test_following_anvil" name="test_a" />'
NODE_SKIPPED = (
    '<testcase classname="tests.fault.test_reorgs" name="test_a">'
    '<skipped type="pytest.skip" message="no anvil; npm brings it" /></testcase>'
)
REAL_DAY_RAN = '<testcase classname="tests.test_real_day" name="test_a" />'
REAL_DAY_SKIPPED = (
    '<testcase classname="tests.test_real_day" name="test_a">'
    '<skipped type="pytest.skip" message="no /shared/data" /></testcase>'
)


def test_a_full_run_is_green(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Browser, node and real day ran: all are said, status 0."""
    assert summary.main(_report(tmp_path, BROWSER_RAN, NODE_RAN, REAL_DAY_RAN)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tests: ran (3 tests)",
        "browser: ran (1 test)",
        "anvil: ran (1 test)",
        "real mainnet day: ran (1 test)",
    ]


def test_a_skipped_real_day_is_said_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data that is not there is no failure, but nobody may believe it was checked."""
    assert summary.main(_report(tmp_path, BROWSER_RAN, NODE_RAN, REAL_DAY_SKIPPED)) == 0
    assert "real mainnet day: skipped: no /shared/data" in capsys.readouterr().out


def test_a_skipped_browser_test_is_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CI has a browser; a skip there means the pages went unseen."""
    assert summary.main(_report(tmp_path, BROWSER_RAN, BROWSER_SKIPPED, NODE_RAN)) == 1
    assert "browser test skipped: tests.browser.test_page" in capsys.readouterr().err


def test_a_skipped_node_test_is_red_wherever_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CI has the node; a skip there means that no chain was followed."""
    assert summary.main(_report(tmp_path, BROWSER_RAN, NODE_RAN, NODE_SKIPPED)) == 1
    assert "anvil test skipped: tests.fault.test_reorgs.test_a" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ran", "missing"),
    [(BROWSER_RAN, "tests.test_following_anvil"), (NODE_RAN, "tests.browser")],
)
def test_a_run_without_browser_or_node_is_red(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ran: str, missing: str
) -> None:
    """An empty folder proves nothing either."""
    assert summary.main(_report(tmp_path, ran, REAL_DAY_RAN)) == 1
    assert f"no test below {missing} ran" in capsys.readouterr().err
