"""Pictures for metadata, where a person would rather look than read."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_COLOURS = ("#4f43dd", "#f29e4c", "#d1495b", "#2a9d8f", "#8d99ae")
# What numbers and dates need is known; to find it out takes longer than to draw.
_MARGINS = {"left": 0.1, "right": 0.98, "top": 0.88, "bottom": 0.19}


def stacked_bars(
    title: str, at: Sequence[Any], series: Mapping[str, Sequence[float]], ylabel: str
) -> str:
    """One bar a moment, the series on top of each other, as Markdown.

    Args:
        at: the moments or names along the x axis.
        series: name -> one value a moment.
        ylabel: what the values count.
    """
    named = bool(at) and isinstance(at[0], str)

    def draw(axes: Any) -> None:
        import numpy as np
        from matplotlib import collections, dates, ticker

        # Of matplotlib's types some are missing, and some say less than it takes.
        bars_of: Any = collections.PolyCollection
        calendar: Any = dates
        numbers: Any = ticker

        places = np.arange(len(at)) if named else calendar.date2num(at)
        width = 0.8 if named or len(at) < 2 else np.diff(places).min() * 0.9
        left, right, bottom = places - width / 2, places + width / 2, np.zeros(len(at))
        for (name, values), colour in zip(series.items(), _COLOURS * 3, strict=False):
            top = bottom + values
            corners = [(left, bottom), (left, top), (right, top), (right, bottom)]
            # One thing to draw: `axes.bar` makes one of each bar, and takes seven times as long.
            bars = np.array(corners).transpose(2, 0, 1)
            axes.add_collection(bars_of(bars, facecolors=colour, label=name))
            bottom = top
        axes.autoscale_view()
        axes.set_ylim(bottom=0)
        axes.set_ylabel(ylabel)
        # 7 M: the digits of large numbers would not fit beside the axis.
        axes.yaxis.set_major_locator(numbers.MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter(numbers.EngFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        if named:
            axes.set_xticks(places, at, rotation=40, ha="right", rotation_mode="anchor")
        else:
            days = calendar.AutoDateLocator()
            axes.xaxis.set_major_locator(days)
            axes.xaxis.set_major_formatter(calendar.ConciseDateFormatter(days))
        if len(series) > 1:
            # Beside the title: to look for a free place among the bars takes a second.
            axes.legend(
                frameon=False, ncols=len(series), loc="lower right", bbox_to_anchor=(1, 0.98)
            )

    if named:
        # The names take a third of it.
        return picture(title, draw, height=4)
    return picture(title, draw, margins=_MARGINS)


def picture(
    title: str,
    draw: Callable[[Any], None],
    *,
    height: float = 3,
    margins: Mapping[str, float] | None = None,
) -> str:
    """What `draw` puts on matplotlib's axes, as Markdown that holds the image itself.

    Args:
        height: inches at 80 dots; the width is 8.
        margins: where the axes begin and end, as shares; None: as their labels need it.
    """
    # matplotlib takes a second to import; its `pyplot` would look for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout=None if margins else "constrained", dpi=80)
    if margins:
        figure.subplots_adjust(**margins)
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    draw(axes)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return f"![{title}](data:image/png;base64,{base64.b64encode(png.getvalue()).decode()})"
