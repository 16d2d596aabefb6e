"""Pictures for metadata, where a person would rather look than read."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

_COLOURS = ("#4f43dd", "#f29e4c", "#d1495b", "#2a9d8f", "#8d99ae")


def stacked_bars(
    title: str, at: Sequence[Any], series: Mapping[str, Sequence[float]], ylabel: str
) -> str:
    """One bar a moment, the series on top of each other, as Markdown.

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
        axes.spines[["top", "right"]].set_visible(False)
        if at and isinstance(at[0], str):
            axes.set_xticks(range(len(at)), at, rotation=40, ha="right", rotation_mode="anchor")
        if len(series) > 1:
            axes.legend(frameon=False)

    return picture(title, draw)


def _width(at: Sequence[Any]) -> Any:
    if len(at) < 2 or isinstance(at[0], str):
        return 0.8
    return min(b - a for a, b in pairwise(at)) * 0.9


def picture(title: str, draw: Callable[[Any], None], height: float = 3) -> str:
    """What `draw` puts on matplotlib's axes, as Markdown that holds the image itself.

    Args:
        height: inches at 80 dots; the width is 8.
    """
    # matplotlib takes a second to import; its `pyplot` would look for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained", dpi=80)
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    draw(axes)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return f"![{title}](data:image/png;base64,{base64.b64encode(png.getvalue()).decode()})"
