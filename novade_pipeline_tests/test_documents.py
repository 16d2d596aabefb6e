"""The README and the pages of `docs/`: what they name exists, and all that exists is named."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from novade_pipeline.databases.declaration import DatabaseTables
from novade_pipeline.graph.project_files import PACKAGE
from novade_pipeline.settings import load_settings
from novade_pipeline_tests.documents import (
    DOCUMENTS,
    README,
    ROOT,
    anchors,
    blocks,
    code,
    commands,
    help_examples,
    links,
)

MOST_LINES = 200
NAMES = [str(document.relative_to(ROOT)) for document in DOCUMENTS]
SETTINGS = ROOT / "docs" / "settings.md"
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= MOST_LINES


def test_the_readme_leads_to_each_page() -> None:
    pages = {str(path.relative_to(ROOT)) for path in DOCUMENTS} - {"README.md"}
    assert pages <= set(links(README))


@each_document
def test_links_have_a_target(document: Path) -> None:
    missing = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


def test_each_picture_is_shown() -> None:
    shown = {link for document in DOCUMENTS for link in links(document) if link.endswith(".png")}
    assert {path.name for path in (ROOT / "docs" / "pictures").iterdir()} == {
        Path(link).name for link in shown
    }


@each_document
def test_commands_in_the_text_exist_with_their_options(document: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = commands()
    unknown = []
    for text in code(document):
        program, *words = text.removeprefix(".venv/bin/").split()
        if program == "make" and words and not words[0].startswith("-"):
            if words[0] not in targets:
                unknown.append(text)
        elif program == "novade" and words:
            match = [path for path in known if tuple(words[: len(path)]) == path]
            options = {name for path in match for each in known[path].params for name in each.opts}
            named = {word.partition("=")[0] for word in words if word.startswith("--")}
            if not match or not named <= options | {"--help"}:
                unknown.append(text)
    assert unknown == []


@each_document
def test_files_in_the_text_exist(document: Path) -> None:
    """A path is relative to the project or to the package."""
    paths = [text for text in code(document) if re.fullmatch(r"[\w/]+\.(py|yaml|json)", text)]
    missing = [
        path
        for path in paths
        if "/" in path and not any((root / path).exists() for root in (ROOT, PACKAGE))
    ]
    assert missing == []


@each_document
def test_settings_in_the_text_exist(document: Path) -> None:
    names = set(re.findall(r"NOVADE_[A-Z_]*[A-Z](?![A-Z_])", document.read_text()))
    assert names <= load_settings().masked().keys() | {"NOVADE_ENV_FILE"}


def test_the_folders_of_the_readme_exist() -> None:
    section = README.read_text().partition("## Where things are")[2].partition("\n## ")[0]
    folders = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert [folder for folder in folders if not (ROOT / folder).exists()] == []
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == {Path(folder).name for folder in folders if PACKAGE.name in folder}


def test_the_page_of_settings_has_every_setting_with_its_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in load_settings().masked():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    rows = re.findall(
        r"^\| `(NOVADE_\w+)` \|(?: `(.+?)`)? \| (.+) \|$", SETTINGS.read_text(), re.MULTILINE
    )
    documented = {name: _as_typed(default) for name, default, _ in rows}
    assert len(documented) == len(rows)
    assert documented == {
        name: _as_typed(value) for name, (value, _, _) in load_settings().masked().items()
    }


def _as_typed(default: str) -> str:
    """A default as a person types it."""
    return "" if default == "None" else default.lower().removesuffix(".0")


def test_every_command_has_help_with_an_example() -> None:
    examples = {example.place: example.text for example in help_examples()}
    assert len(examples) > 10
    for place, text in examples.items():
        assert place.removesuffix(" --help") in text, place


def test_blocks_are_of_a_language_that_is_checked() -> None:
    """A command in a block of another language would never be run."""
    languages = {block.language for document in DOCUMENTS for block in blocks(document)}
    assert languages == {"sh", "sql", "json", "yaml", "mermaid"}


@each_document
def test_yaml_blocks_are_valid_declarations(document: Path) -> None:
    for block in blocks(document):
        if block.language == "yaml":
            DatabaseTables.model_validate(yaml.safe_load(block.text)["attributes"])


@each_document
def test_shell_blocks_can_be_parsed(document: Path) -> None:
    for block in blocks(document):
        if block.language == "sh":
            done = subprocess.run(("bash", "-n"), input=block.text, text=True, capture_output=True)
            assert (done.returncode, done.stderr) == (0, ""), block.place


@each_document
def test_shell_blocks_name_the_command_where_setup_installs_it(document: Path) -> None:
    first_words = {path[0] for path in commands() if path}
    for block in blocks(document):
        if block.language == "sh":
            words = re.findall(r"(?:^|\s)novade\s+([\w-]+)", block.text)
            bare = first_words.intersection(words)
            assert not bare, f"{block.place}: expected .venv/bin/novade"
