"""Every example of the README, of `docs/` and of `--help`, run as printed on the demo's sample."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import httpx
import pytest

from novade_pipeline.sandbox.serving import listen
from novade_pipeline_tests.commands import CompletedCommand, novade
from novade_pipeline_tests.documents import DOCUMENTS, README, ROOT, Example, blocks, help_examples

HOURS = "24"
"""Of the sample, for which `make run` takes 336."""
NOT_RUN = {
    "make ui": "novade_pipeline_tests/test_web_page.py opens the page",
    "novade ui": "the same",
    "curl ": "novade_pipeline_tests/defs/operations/test_start_a_load.py sends it",
    "novade rebuild marts": "half a minute, and execution/test_local_run.py runs it",
    "make azurite": "the fixture `azurite` starts the server",
    "NOVADE_ENV_FILE=dev/azurite/.env": "needs that server on its fixed port",
    "export NOVADE_LAKE_URL=abfss:": "needs a storage account",
    "az login": "needs an Azure subscription",
    "deploy/new_env.sh": "needs Docker",
    "novade sandbox broker": "sandbox/test_broker.py starts it, on free ports",
    "novade sandbox tickets": "needs that broker on its fixed port; test_streams.py sends tickets",
    "novade sandbox readings": "the same",
    "novade streams": "needs that broker; graph/test_topic_follow.py follows and restarts topics",
    "novade sandbox erp": "needs a fixed port; databases/ starts the server on free ones",
    "novade erp reflect": "needs a database; defs/erp/test_erp.py reflects one",
    "novade reconcile": "needs Segment's tables; defs/reconciliation/test_planted.py runs it",
    "make streams": "test_streams.py does it with fewer records",
}
"""How an example begins -> why it is not run here."""
SERVES = "novade sandbox (amplitude|music|salesforce|drift) --port 8100"
NEEDS = {"novade drift verify": "novade sandbox with novade drift final-export"}
"""An example -> the one that its page has before it."""
NO_RESULT = re.compile(r"^(No drug|No journal|Nothing to do)", re.MULTILINE)
PLAIN = r"novade [\w@./ -]+"
PROGRAMS = {"novade": "-m novade_pipeline", "python": ""}


def _all_examples() -> list[Example]:
    """Each once; of the same command, the one in a document, which names `.venv/bin`."""
    documented = [block for document in DOCUMENTS for block in blocks(document)]
    unique: dict[str, Example] = {}
    for example in (*documented, *help_examples()):
        if example.language in ("sh", "sql"):
            unique.setdefault(example.as_typed, example)
    return list(unique.values())


def _is_run(example: Example) -> bool:
    return not example.as_typed.startswith(tuple(NOT_RUN)) and not _is_served(example)


def _is_served(example: Example) -> bool:
    return re.fullmatch(SERVES, example.as_typed) is not None


EXAMPLES = _all_examples()
BY_TEXT = {example.as_typed: example for example in EXAMPLES}


def each(examples: list[Example]) -> pytest.MarkDecorator:
    """A parameter of a test, named after the examples' places."""
    return pytest.mark.parametrize("example", examples, ids=[each.place for each in examples])


@dataclass
class Checkout:
    """A folder like a checkout of the project after its set-up, and what was run there."""

    folder: Path
    done: dict[str, CompletedCommand] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a person who has set nothing and works in the folder."""
        prefixes = ("NOVADE_", "DAGSTER_HOME", "MAKE", "MFLAGS", "PYTHONDONTWRITEBYTECODE")
        kept = {name: v for name, v in os.environ.items() if not name.startswith(prefixes)}
        path = f"{self.folder / '.venv' / 'bin'}:{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONPATH": str(ROOT), "HOURS": HOURS, "COLUMNS": "200"}
        return kept | own

    def run(self, example: Example) -> CompletedCommand:
        """Run an example once: in a shell, or in a fork if it has nothing for a shell."""
        typed = example.as_typed
        if typed in self.done:
            return self.done[typed]
        if re.fullmatch(PLAIN, typed):
            done = novade(self.folder, *typed.split()[1:], env=self.environment)
        else:
            shell = subprocess.run(
                ("bash", "-ec", example.text),
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            done = CompletedCommand(shell.returncode, shell.stdout, shell.stderr)
        self.done[typed] = done
        return done


def _checkout(folder: Path) -> Checkout:
    for name in ("Makefile", "requirements", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, options in PROGRAMS.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {options} "$@"\n')
        (programs / name).chmod(0o755)
    # By these, Make knows that the set-up is done.
    for name in ("bin/uv", "installed-run", "ready-run"):
        (folder / ".venv" / name).touch()
    return Checkout(folder)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout after `make run`."""
    checkout = _checkout(tmp_path_factory.mktemp("checkout"))
    done = checkout.run(BY_TEXT["make run"])
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout


def test_the_warnings_of_the_demo_are_explained(demo: Checkout) -> None:
    section = README.read_text().partition("## Warnings of the demo")[2].partition("\n## ")[0]
    explained = set(re.findall(r"`([a-z_]+/[a-z0-9_]+)`", section))
    output = demo.run(BY_TEXT["make run"]).stdout
    warnings = re.findall(r"^Warning (\S+): (.*)$", output, re.MULTILINE)
    assert re.search(r"^\d+ other assets are unchanged\.$", output, re.MULTILINE)
    warned = {name for name, _ in warnings}
    reasons = [reason for _, reason in warnings]
    assert all(re.search(r"\d.*[.;] .*\(check \w+\)$", reason) for reason in reasons), reasons
    assert {"publications/quarantine", "salesforce/account"} <= warned <= explained
    assert explained <= set(re.findall(r"^(\w+/\w+) ", output, re.MULTILINE))


def test_a_second_run_has_nothing_to_do(demo: Checkout) -> None:
    """Without the generated APIs, which it says."""
    done = novade(demo.folder, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOVADE_DRIFT_TOKEN is not set" in done.stdout
    assert "did not yield" not in done.stdout
    assert "Nothing to do: the lake has all landed files." in done.stdout
    some = novade(demo.folder, "run", "--select", "amplitude/quarantine")
    assert some.returncode == 0, some.stdout + some.stderr
    assert "Nothing to do: the selected assets and hours have no new data." in some.stdout


@each([example for example in EXAMPLES if example.language == "sh" and _is_run(example)])
def test_an_example_gives_a_result(example: Example, demo: Checkout, tmp_path: Path) -> None:
    checkout = demo
    if example.text == "make clean":
        checkout = _checkout(tmp_path)
        (tmp_path / "data" / "lake").mkdir(parents=True)
    if example.as_typed in NEEDS:
        checkout.run(BY_TEXT[NEEDS[example.as_typed]])
    done = checkout.run(example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert NO_RESULT.search(done.stdout) is None, done.stdout
    if example.text == "make clean":
        assert not (tmp_path / "data").exists()
    else:
        assert done.stdout.strip(), done.stderr


@each([example for example in EXAMPLES if example.language == "sql"])
def test_a_query_gives_rows(example: Example, demo: Checkout) -> None:
    """In a plain client, on the file that the README says to open."""
    match = re.search(r"duckdb\.connect\('([^']+)', read_only=True\)", README.read_text())
    assert match is not None
    with duckdb.connect(str(demo.folder / match[1]), read_only=True) as client:
        assert client.execute(example.text).fetchall()


@each([example for example in EXAMPLES if _is_served(example)])
def test_a_service_answers(example: Example, tmp_path: Path) -> None:
    """As printed, but for the port, which may be taken on this machine."""
    checkout = _checkout(tmp_path)
    with listen(0) as free:
        port = str(free.getsockname()[1])
    command = ("bash", "-ec", f"exec {example.text.replace('8100', port)}")
    with subprocess.Popen(
        command, cwd=tmp_path, env=checkout.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            name, _, url = process.stdout.readline().strip().partition("=")
            assert (name[:7], url) == ("NOVADE_", f"http://127.0.0.1:{port}")
            assert httpx.get(url, timeout=60).status_code < 500
            process.send_signal(signal.SIGINT)
            assert process.wait(60) in (0, 130)
        finally:
            process.kill()


def test_each_reason_is_that_of_an_example() -> None:
    """What is not run is listed, and the list names nothing else."""
    assert [start for start in NOT_RUN if not any(t.startswith(start) for t in BY_TEXT)] == []
    assert {*NEEDS, *NEEDS.values()} <= BY_TEXT.keys()
    assert any(_is_served(example) for example in EXAMPLES)
