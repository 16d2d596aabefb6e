"""`novade <domain> reflect`: writes the database's columns into `defs.yaml`."""

from pathlib import Path
from typing import Annotated

import typer

from novade_pipeline.graph.database_settings import DatabaseSettings


def database_commands(domain: str, path: Path, access: type[DatabaseSettings]) -> typer.Typer:
    """The commands of a domain's database.

    Args:
        path: of its `defs.yaml`.
        access: the class of its settings.
    """
    commands = typer.Typer(help=f"The database of {domain}.", no_args_is_help=True)

    @commands.callback()
    def _commands() -> None: ...

    @commands.command(epilog=f"Example: [bold]novade {domain} reflect --dry-run[/bold]")
    def reflect(
        table: Annotated[
            str | None, typer.Argument(help="A table of the database; by default all declared.")
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print it, write nothing.")
        ] = False,
    ) -> None:
        """Write the columns that the database has into defs.yaml.

        Names, marks and descriptions that are there stay, and so does all else of the file.
        """
        from rich.console import Console

        from novade_pipeline.databases.declaration_file import tables_to_reflect, with_columns
        from novade_pipeline.databases.reflection import merged_columns
        from novade_pipeline.databases.reflection import reflect as reflected
        from novade_pipeline.errors import UserError
        from novade_pipeline.settings import load_settings

        settings = load_settings().of(access)
        if settings.missing:
            raise UserError(settings.missing)
        tables = [t for t in tables_to_reflect(path) if table in (None, t.table)]
        if not tables:
            raise UserError(f"{path}: expected a table {table}, found none; declare it first.")
        before = text = path.read_text(encoding="utf-8")
        with settings.database.session() as session:
            for declared in tables:
                columns = merged_columns(declared.columns, reflected(session, declared).columns)
                text = with_columns(text, declared.table, columns)
        console = Console()
        if dry_run:
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        elif text != before:
            path.write_text(text, encoding="utf-8")
        state = "is as the database" if text == before else "differs" if dry_run else "is written"
        console.print(f"{path} {state}.", highlight=False, soft_wrap=True)

    return commands
