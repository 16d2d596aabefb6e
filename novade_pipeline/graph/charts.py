"""Charts for metadata, as images in Markdown."""

import base64
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_COLOURS = ("#4f43dd", "#f29e4c", "#d1495b", "#2a9d8f", "#8d99ae")
COLOURS = 64
# Fixed, since a constrained layout takes longer than the drawing.
_MARGINS = {"left": 0.1, "right": 0.98, "top": 0.88, "bottom": 0.19}


def stacked_bars(
    title: str, at: Sequence[Any], series: Mapping[str, Sequence[float]], ylabel: str
) -> str:
    """Draws a stacked bar chart, as Markdown.

    Args:
        at: the timestamps or names along the x axis.
        series: name -> one value for each of them.
    """
    named = bool(at) and isinstance(at[0], str)

    def draw(axes: Any) -> None:
        import numpy as np
        from matplotlib import collections, dates, ticker

        # matplotlib's type stubs are incomplete.
        bars_of: Any = collections.PolyCollection
        calendar: Any = dates
        numbers: Any = ticker

        places = np.arange(len(at)) if named else calendar.date2num(at)
        width = 0.8 if named or len(at) < 2 else np.diff(places).min() * 0.9
        left, right, bottom = places - width / 2, places + width / 2, np.zeros(len(at))
        for (name, values), colour in zip(series.items(), _COLOURS * 3, strict=False):
            top = bottom + values
            corners = [(left, bottom), (left, top), (right, top), (right, bottom)]
            # `axes.bar` would make a patch for each bar, which takes seven times as long.
            bars = np.array(corners).transpose(2, 0, 1)
            axes.add_collection(bars_of(bars, facecolors=colour, label=_printable(name)))
            bottom = top
        axes.autoscale_view()
        axes.set_ylim(bottom=0)
        axes.set_ylabel(ylabel)
        axes.yaxis.set_major_locator(numbers.MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter(numbers.EngFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        if named:
            slanted = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
            # A dollar sign is one, and begins no formula.
            axes.set_xticks(places, [*map(_printable, at)], parse_math=False, **slanted)
        else:
            days = calendar.AutoDateLocator()
            axes.xaxis.set_major_locator(days)
            axes.xaxis.set_major_formatter(calendar.ConciseDateFormatter(days))
        if len(series) > 1:
            # Beside the title: searching for a free place among the bars takes a second.
            legend = axes.legend(
                frameon=False, ncols=len(series), loc="lower right", bbox_to_anchor=(1, 0.98)
            )
            for text in legend.get_texts():
                text.set_parse_math(False)

    if named:
        return picture(title, draw, height=4)
    return picture(title, draw, margins=_MARGINS)


def _printable(name: str) -> str:
    """A name in one line, with U+FFFD for each control character."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in name)


def picture(
    title: str,
    draw: Callable[[Any], None],
    *,
    height: float = 3,
    margins: Mapping[str, float] | None = None,
) -> str:
    """Returns a drawing on matplotlib's axes, as Markdown with the image embedded.

    Args:
        height: inches at 80 dpi; the width is 8 inches.
        margins: of the axes, as shares of the figure; None fits them to the labels.
    """
    # `pyplot` would search for a display.
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(8, height), layout=None if margins else "constrained", dpi=80)
    if margins:
        figure.subplots_adjust(**margins)
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    draw(axes)
    drawn, png = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        # The font has no Chinese, among others: such a character is a box.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        figure.savefig(drawn, format="png")
    # With a palette it has a third of the bytes, and every run keeps its pictures.
    with Image.open(drawn) as image:
        palette = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        palette.save(png, format="png", optimize=True)
    return f"![{title}](data:image/png;base64,{base64.b64encode(png.getvalue()).decode()})"
