"""What can be known of the image, the compose file and Dagster's settings without an engine."""

import importlib
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from novade_pipeline.settings import load_settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
FILES = sorted(
    path
    for path in DEPLOY.rglob("*")
    if path.is_file() and path.name != ".env" and "__pycache__" not in path.parts
)
DAGSTER = sorted(DEPLOY.glob("dagster.*.yaml"))
DOCKERFILES = sorted(DEPLOY.glob("*Dockerfile"))
PROGRAMS = Path(sys.executable).parent


def services() -> Mapping[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(file: Path) -> None:
    done = subprocess.run([PROGRAMS / "hadolint", file], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_follows_its_specification() -> None:
    command = [PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, DEPLOY / "compose.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.name)
def test_a_container_runs_without_root_rights(file: Path) -> None:
    users = re.findall(r"^USER (\S+)", file.read_text(), flags=re.MULTILINE)
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def test_images_of_others_are_pinned() -> None:
    matches = [
        *re.findall(r"^ARG \w+=(\S+:\S+)", "\n".join(f.read_text() for f in DOCKERFILES), re.M),
        *(s["image"] for s in services().values() if not s["image"].startswith("novade")),
        *re.findall(r"image: '([^']+)'", (DEPLOY / "azure/environment.bicep").read_text()),
    ]
    assert len(matches) == 5
    assert [image for image in matches if not re.search(r":v?\d+\.\d+", image)] == []


def test_packages_are_installed_by_their_hashes() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for pinned in ("requirements/build.txt", "requirements/run.txt"):
        assert re.search(rf"--require-hashes[ \\\n]+--requirement {pinned}", text)
    assert "npm ci" in (DEPLOY / "azurite.Dockerfile").read_text()


def test_what_the_dockerfiles_copy_is_in_the_build_context() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    included = tuple(line[1:] for line in ignore if line.startswith("!"))
    for file in DOCKERFILES:
        for names in re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", file.read_text(), re.M):
            for name in names.split():
                assert (ROOT / name).exists()
                assert name.startswith(included), f"{name} is not in .dockerignore"


def test_only_the_machine_itself_reaches_the_compose_file() -> None:
    ports = [port for service in services().values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_what_the_compose_file_mounts_and_runs_is_there() -> None:
    for name, service in services().items():
        mounts = [mount.split(":") for mount in service.get("volumes", ())]
        binds = {mount[1]: mount[0] for mount in mounts if mount[0].startswith(".")}
        assert [source for source in binds.values() if not (DEPLOY / source).is_file()] == []
        words = [word.rpartition("=")[2] for word in service.get("command", ())]
        files = {word for word in words if word.endswith((".py", ".yaml"))}
        assert files <= binds.keys(), name


def test_the_secrets_of_the_compose_file_are_made_up_once(tmp_path: Path) -> None:
    script = tmp_path / "new_env.sh"
    script.write_bytes((DEPLOY / "new_env.sh").read_bytes())
    subprocess.run(["sh", script], check=True)
    first = (tmp_path / ".env").read_text()
    subprocess.run(["sh", script], check=True)
    assert (tmp_path / ".env").read_text() == first
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    variables = dict(line.split("=", 1) for line in first.splitlines())
    required = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert variables.keys() == required
    assert all(variables.values())


def test_the_graph_takes_the_settings_of_the_compose_file(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = {"AZURITE_ACCOUNT": "novadelocal", "AZURITE_KEY": "a2V5", "POSTGRES_PASSWORD": "p"}
    for name, value in services()["graph"]["environment"].items():
        variables = re.sub(r"\$\{(\w+)[^}]*\}", lambda match: made_up[match.group(1)], value)
        monkeypatch.setenv(name, variables)
    settings = load_settings()
    assert settings.lake.path("amplitude/events").endswith("lake/novade/amplitude/events")
    assert settings.landing.path("amplitude").endswith("landing/amplitude")


@pytest.mark.parametrize("file", DAGSTER, ids=lambda path: path.name)
def test_dagster_takes_its_settings(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = file.read_text()
    for name in re.findall(r"env: (\w+)", text):
        monkeypatch.setenv(name, "{}" if name == "RUNS_SECRETS" else "text")
    monkeypatch.setenv("RUNS_FORWARDED", "AZURE_CLIENT_ID")
    monkeypatch.setenv("AZURE_CLIENT_ID", "client")
    config = yaml.safe_load(text)
    # A database is asked for its tables at once; its settings are looked at below.
    del config["storage"]
    if "base_dir" in config["compute_logs"]["config"]:
        config["compute_logs"]["config"]["base_dir"] = str(tmp_path)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        launcher = config.get("run_launcher", {}).get("class", "DefaultRunLauncher")
        assert type(instance.run_launcher).__name__ == launcher
        assert type(instance.compute_log_manager).__name__ == config["compute_logs"]["class"]
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled


@pytest.mark.parametrize("file", DAGSTER, ids=lambda path: path.name)
def test_dagster_has_a_driver_for_its_database(file: Path) -> None:
    database = yaml.safe_load(file.read_text())["storage"]["postgres"]["postgres_db"]
    driver = database["scheme"].partition("+")[2]
    importlib.import_module(driver)


def test_on_azure_dagster_knows_no_password() -> None:
    postgres = yaml.safe_load((DEPLOY / "dagster.azure.yaml").read_text())["storage"]["postgres"]
    assert postgres["auth_provider"] == {"azure_wif": {}}
    assert "password" not in postgres["postgres_db"]


@pytest.mark.parametrize("file", DAGSTER, ids=lambda path: path.name)
def test_pools_and_the_like_are_as_at_home(file: Path) -> None:
    home = yaml.safe_load((ROOT / "novade_pipeline/execution/dagster.yaml").read_text())
    config = yaml.safe_load(file.read_text())
    for name in ("concurrency", "telemetry", "freshness", "nux"):
        assert config[name] == home[name]
    assert config["run_coordinator"]["class"] == home["run_coordinator"]["class"]
    assert config["run_monitoring"]["enabled"]


def test_every_setting_that_is_named_exists() -> None:
    known = load_settings().masked().keys()
    named = {
        (path.name, name)
        for path in FILES
        for name in re.findall(r"\bNOVADE_[A-Z_]+[A-Z]\b", path.read_text())
    }
    assert named
    assert {one for one in named if one[1] not in known} == set()


def test_no_secret_and_no_private_host_is_in_a_file() -> None:
    secret = re.compile(
        r"AccountKey=|SharedAccessSignature|[?&]sig=|-----BEGIN|[A-Za-z0-9+/]{40,}={1,2}|"
        r"password:\s+(?!\{env|\$)\S|\b[\w-]+\.azurecr\.io|index-url|registry=",
        re.IGNORECASE,
    )
    matches = {
        (path.name, match.group())
        for path in [*FILES, ROOT / ".dockerignore"]
        for match in secret.finditer(path.read_text())
    }
    assert matches == set()
