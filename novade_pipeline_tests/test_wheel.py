"""The package as a user installs it: from a wheel, into an empty folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from novade_pipeline.graph.project_files import PACKAGE
from novade_pipeline_tests.worlds import PRODUCT

UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with this one in it; those that it needs are found beside."""
    root = tmp_path_factory.mktemp("wheel")
    build = ("build", "--wheel", "--no-build-isolation", "--quiet", "--python", sys.executable)
    subprocess.run((UV, *build, "--out-dir", root, PACKAGE.parent), check=True)
    (wheel,) = root.glob("*.whl")
    install = ("pip", "install", "--quiet", "--no-deps", "--python", sys.executable)
    subprocess.run((UV, *install, "--target", root / "site", wheel), check=True)
    return root / "site"


def _novade(site: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        (sys.executable, "-P", "-m", "novade_pipeline", *arguments),
        cwd=folder,
        env={"PYTHONPATH": str(site), "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _files(site: Path) -> list[Path]:
    """All but compiled code, of which numba keeps some beside its modules."""
    return sorted(path for path in site.rglob("*") if "__pycache__" not in path.parts)


def test_it_loads_a_sample_and_writes_nothing_beside_the_data(
    installed: Path, tmp_path: Path
) -> None:
    files = _files(installed)
    _novade(installed, tmp_path, "sandbox", "land", "--hours", "2", "--events-per-hour", "20")
    output = _novade(installed, tmp_path, "run", "--select", PRODUCT)
    assert "marts/event_enhanced" in output
    assert _files(installed) == files
    assert list((tmp_path / "data" / "dbt").glob("*/manifest.json"))


def test_it_brings_what_dagster_and_dbt_read(installed: Path) -> None:
    package = installed / "novade_pipeline"
    assert (package / "workspace.yaml").is_file()
    assert (package / "execution" / "dagster.yaml").is_file()
    assert not list((package / "dbt").glob("target"))
