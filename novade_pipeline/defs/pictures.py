"""Pictures for metadata, where a person would rather look than read."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import dagster as dg

_COLOURS = ("#4f43dd", "#f29e4c", "#d1495b", "#2a9d8f", "#8d99ae")


def stacked_bars(
    title: str, at: Sequence[Any], series: Mapping[str, Sequence[float]], ylabel: str
) -> dg.MarkdownMetadataValue:
    """One bar a moment, the series on top of each other.

    Args:
        at: the moments or names along the x axis.
        series: name -> one value a moment.
        ylabel: what the values count.
    """

    def draw(axes: Any) -> None:
        bottom = [0.0] * len(at)
        width = _width(at)
        for (name, values), colour in zip(series.items(), _COLOURS * 3, strict=False):
            axes.bar(at, values, width, bottom=bottom, label=name, color=colour)
            bottom = [below + value for below, value in zip(bottom, values, strict=True)]
        axes.set_ylabel(ylabel)
        if at and isinstance(at[0], str):
            axes.set_xticks(range(len(at)), at, rotation=40, ha="right", rotation_mode="anchor")
        if len(series) > 1:
            axes.legend(frameon=False)

    return _picture(title, draw)


def _width(at: Sequence[Any]) -> Any:
    if len(at) < 2 or isinstance(at[0], str):
        return 0.8
    return min(b - a for a, b in pairwise(at)) * 0.9


def heatmap(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    shares: Sequence[Sequence[float | None]],
) -> dg.MarkdownMetadataValue:
    """Shares from 0 to 1 as colours, rows by columns; None stays white."""

    def draw(axes: Any) -> None:
        grid = [[float("nan") if share is None else share for share in row] for row in shares]
        axes.imshow(grid, aspect="auto", cmap="Purples", vmin=0, vmax=1)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        for y, row in enumerate(shares):
            for x, share in enumerate(row):
                if share is not None:
                    colour = "white" if share > 0.6 else "black"
                    axes.text(x, y, f"{share:.0%}", ha="center", va="center", color=colour, size=7)

    return _picture(title, draw)


def _picture(title: str, draw: Callable[[Any], None]) -> dg.MarkdownMetadataValue:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left")
    draw(axes)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=80)
    encoded = base64.b64encode(png.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
