"""What the README, the pages of `docs/` and `--help` say: examples, links, headings, code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from novade_pipeline import cli
from novade_pipeline.graph.project_files import PACKAGE

ROOT = PACKAGE.parent
README = ROOT / "README.md"
DOCUMENTS = (README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "deploy" / "README.md")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A block of a document, or the example of a command's help.

    Attributes:
        place: the document and its line, or the command with `--help`.
        language: of the block: `sh`, `sql`, or one that is not run.
    """

    place: str
    language: str
    text: str

    @property
    def as_typed(self) -> str:
        """The text as typed where `novade` is on the path."""
        return self.text.replace(".venv/bin/", "")


def blocks(document: Path) -> Iterator[Example]:
    """The fenced blocks of a document."""
    text = document.read_text()
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Example(f"{document.relative_to(ROOT)}:{line}", match[1], match[2].strip())


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", document.read_text())


def code(document: Path) -> list[str]:
    """The code within the prose of a document, on one line each."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(document))]


def links(document: Path) -> list[str]:
    """The targets of a document's links and pictures that are in the project."""
    return [target for target in _LINK.findall(prose(document)) if "://" not in target]


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to a document's headings."""
    headings = _HEADING.findall(prose(document))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def commands() -> dict[tuple[str, ...], click.Command]:
    """All commands by their path, each domain's own among them."""
    return dict(_commands(typer.main.get_command(cli.app)))


def _commands(
    command: click.Command, *path: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, subcommand in command.commands.items():
        yield from _commands(subcommand, *path, name)


def help_examples() -> Iterator[Example]:
    """The example at the end of each command's help, empty if there is none."""
    for path in commands():
        done = CliRunner().invoke(cli.app, [*path, "--help"], env={"COLUMNS": "200"})
        assert done.exit_code == 0, path
        example = " ".join(done.output.split()).partition("Example: ")[2]
        yield Example(f"novade {' '.join(path)} --help", "sh", example)
