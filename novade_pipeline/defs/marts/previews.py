"""Previews of marts in the web page: a few rows without personal columns, and charts."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import duckdb

from novade_pipeline.graph.charts import picture, stacked_bars
from novade_pipeline.graph.markdown import markdown_table
from novade_pipeline.lake.query import sql_identifier
from novade_pipeline.lake.table import Table

PREVIEW_ROWS = 5
_WEEKS = 26
_DAYS = 365
_SALES_WEEKS = 104


def preview(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """The newest rows as a Markdown table, without personal columns."""
    shown = [column.name for column in table.columns if column.personal is None]
    order = ", ".join(
        [f"{sql_identifier(table.data_time)} desc"] if table.data_time else []
    ) or ", ".join(sql_identifier(name) for name in table.key)
    rows = connection.execute(
        f"select {', '.join(sql_identifier(name) for name in shown)}"
        f" from marts.{sql_identifier(table.path[-1])} order by {order} limit {PREVIEW_ROWS}"
    ).fetchall()
    return markdown_table(shown, rows)


def retention_picture(connection: duckdb.DuckDBPyConnection) -> str | None:
    """A heat map, cohort by week since; the newest half year of cohorts."""
    rows = connection.execute(
        "select cohort_week, week_number, retention, cohort_size from marts.weekly_retention"
        " where cohort_week > (select max(cohort_week) from marts.weekly_retention) - 7 * $1::int"
        " and week_number < $1::int order by cohort_week, week_number",
        [_WEEKS],
    ).fetchall()
    if not rows:
        return None
    cohorts = sorted({row[0] for row in rows})
    weeks = max(row[1] for row in rows) + 1
    shares = [[float("nan")] * weeks for _ in cohorts]
    sizes = {row[0]: row[3] for row in rows}
    for cohort, week, share, _ in rows:
        shares[cohorts.index(cohort)][week] = share

    def draw(axes: Any) -> None:
        axes.imshow(shares, cmap="YlGnBu", vmin=0, vmax=1, aspect="auto")
        axes.set_yticks(range(len(cohorts)), [f"{c} ({sizes[c]})" for c in cohorts])
        axes.set_xticks(range(weeks))
        axes.set_xlabel("weeks since the first event")
        axes.set_ylabel("week of the first event (persons)")
        for y, row in enumerate(shares):
            for x, share in enumerate(row):
                if share == share and len(cohorts) <= _WEEKS // 2:
                    colour = "white" if share > 0.5 else "black"
                    axes.text(x, y, f"{share:.0%}", ha="center", va="center", color=colour)

    return picture("Weekly retention", draw, height=1.2 + 0.35 * len(cohorts))


def performance_picture(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Events a day; the newest year."""
    rows: list[tuple[date, int]] = connection.execute(
        "select event_date, sum(events)::bigint from marts.daily_performance"
        " where event_date > (select max(event_date) from marts.daily_performance) - $1::int"
        " group by event_date order by event_date",
        [_DAYS],
    ).fetchall()
    if not rows:
        return None
    days, events = zip(*rows, strict=True)
    return stacked_bars("Events a day, UTC", days, {"events": events}, "events a day")


def pipeline_picture(connection: duckdb.DuckDBPyConnection) -> str | None:
    """What opportunities were worth at the end of each week, by status; the newest two years."""
    rows = connection.execute(
        "select day, status, sum(corporate_amount)::double from marts.sales_snapshot"
        " where day > (select max(day) from marts.sales_snapshot) - 7 * $1::int"
        " and ((select max(day) from marts.sales_snapshot) - day) % 7 = 0"
        " group by day, status order by day",
        [_SALES_WEEKS],
    ).fetchall()
    if not rows:
        return None
    worth = {(day, status): amount or 0.0 for day, status, amount in rows}
    days = sorted({row[0] for row in rows})
    series = {
        status: [worth.get((day, status), 0.0) for day in days]
        for status in ("won", "pipeline", "other", "lost")
    }
    return stacked_bars("Opportunities by status, week by week", days, series, "amount")


PICTURES: Mapping[str, Callable[[duckdb.DuckDBPyConnection], str | None]] = {
    "weekly_retention": retention_picture,
    "daily_performance": performance_picture,
    "sales_snapshot": pipeline_picture,
}
"""Mart -> function that draws its chart."""
