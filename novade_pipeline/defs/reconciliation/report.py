"""Renders the comparison as one HTML page that fetches nothing."""

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from novade_pipeline.defs.reconciliation.comparison import (
    KINDS,
    SIDES,
    Comparison,
    Row,
    percent,
)
from novade_pipeline.graph.charts import stacked_bars
from novade_pipeline.plurals import counted

PAGE = ("documents", "marts", "reconciliation_report.html")
TEMPLATE = Path(__file__).with_name("report.html")
TYPES = 4
"""How many event types the picture of lost events tells apart."""
CELLS = 100
"""How many days and event types with differences the page lists."""


def report_page(comparison: Comparison) -> str:
    """The page: what would be lost, in a sentence and in pictures, then days, types, examples."""
    if comparison.days is None:
        tone, verdict = "none", "There is nothing to compare yet."
    elif comparison.share_problem:
        tone, verdict = "bad", "Not yet: Segment has what Amplitude lacks."
    elif comparison.missing_days:
        tone, verdict = "bad", "Unknown: there are days that one of the two lacks."
    elif comparison.totals["only_segment"]:
        tone, verdict = "good", "Hardly anything: Segment can be switched off."
    else:
        tone, verdict = "good", "Nothing: Segment can be switched off."
    sentences = [comparison.summary, *comparison.problems]
    return _template().substitute(
        tone=tone,
        verdict=verdict,
        lead="".join(f"<p>{escape(sentence)}</p>" for sentence in sentences),
        content="" if comparison.days is None else _content(comparison),
    )


def _content(comparison: Comparison) -> str:
    days = {str(day): sums for day, sums in comparison.by_day.items()}
    missing = {str(day) for day in comparison.missing_days}
    parts = [
        "<h2>What both recorded</h2>",
        _image(stacked_bars("Events a day", list(comparison.by_day), _sides(comparison), "events")),
        "<h2>What would be lost</h2>",
    ]
    if comparison.totals["only_segment"]:
        lost = _lost(comparison)
        title = "Events only in Segment" + (f": {next(iter(lost))}" if len(lost) == 1 else "")
        parts.append(_image(stacked_bars(title, list(comparison.by_day), lost, "events")))
    else:
        parts.append('<p class="note">Amplitude has every event of Segment.</p>')
    parts += [
        "<h2>The event types in figures</h2>",
        _table("Event type", comparison.by_type),
        "<h2>The days in figures</h2>",
        _table("Day", days, missing),
        "<h2>Examples</h2>",
        _examples(comparison.rows),
        "<h2>How to read this</h2>",
        "<p class=\"note\">An event is the same in both if Segment's id is Amplitude's insert id. "
        "Days are those of the reports. Examples are ids, times and names of properties; values of "
        "properties are left out, since they may be personal. The whole is in "
        "<code>marts/reconciliation</code>.</p>",
    ]
    return "\n".join(parts)


def _sides(comparison: Comparison) -> dict[str, list[float]]:
    """Who has the events of each day."""
    names = {"matched": "in both", "only_amplitude": "only in Amplitude"}
    names["only_segment"] = "only in Segment: lost"
    return {
        title: [sums[name] for sums in comparison.by_day.values()] for name, title in names.items()
    }


def _lost(comparison: Comparison) -> dict[str, list[float]]:
    """The events of each day that Amplitude lacks, by type; the types that lose least are one."""
    lost = {(row["event_date"], row["event_type"]): row["only_segment"] for row in comparison.rows}
    names = [name for name, sums in comparison.by_type.items() if sums["only_segment"]]
    series: dict[str, list[float]] = {
        name: [lost.get((day, name), 0) for day in comparison.by_day] for name in names[:TYPES]
    }
    if names[TYPES:]:
        series["other types"] = [
            sum(lost.get((day, name), 0) for name in names[TYPES:]) for day in comparison.by_day
        ]
    return series


def _image(markdown: str) -> str:
    """An HTML image of a chart, which is an image in Markdown."""
    title, _, source = markdown.removeprefix("![").removesuffix(")").partition("](")
    return f'<img alt="{escape(title)}" src="{escape(source)}">'


def _table(heading: str, sums: Mapping[str, Mapping[str, int]], missing: Iterable[str] = ()) -> str:
    headings = {**SIDES, **KINDS}
    heads = "".join(f"<th>{escape(name)}</th>" for name in headings.values())
    rows = []
    for name, counts in sums.items():
        share = counts["matched"] / counts["segment_events"] if counts["segment_events"] else None
        cells = "".join(f"<td>{counts[column]:,}</td>" for column in headings)
        shown = "" if share is None else percent(share)
        marked = ' class="missing"' if name in missing else ""
        rows.append(f"<tr{marked}><td>{escape(name)}</td>{cells}<td>{shown}</td></tr>")
    return (
        f'<div class="scroll"><table><thead><tr><th>{heading}</th>{heads}<th>share '
        f"in both</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _examples(rows: Iterable[Row]) -> str:
    cells = [row for row in rows if any(row[kind] for kind in KINDS)]
    if not cells:
        return '<p class="note">The two sides do not differ in anything.</p>'
    parts = []
    for row in cells[:CELLS]:
        lines = "".join(
            f"<p>{row[kind]:,} {meaning}</p><ul>"
            + "".join(f"<li><code>{escape(text)}</code></li>" for text in row[f"{kind}_examples"])
            + "</ul>"
            for kind, meaning in KINDS.items()
            if row[kind]
        )
        total = counted(sum(row[kind] for kind in KINDS), "difference")
        title = f"{row['event_date']} {escape(row['event_type'])}: {total}"
        parts.append(f"<details><summary>{title}</summary>{lines}</details>")
    if len(cells) > CELLS:
        more = counted(len(cells) - CELLS, "day and event type", "days and event types")
        parts.append(f'<p class="note">And {more} more in <code>marts/reconciliation</code>.</p>')
    return "\n".join(parts)


@cache
def _template() -> Template:
    return Template(TEMPLATE.read_text())
