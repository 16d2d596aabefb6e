"""Pictures in metadata: what is drawn is in the image, and what is the same is not drawn again."""

import base64
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import numpy as np
import pytest

from novade_pipeline.graph.charts import stacked_bars
from novade_pipeline.graph.table_assets import previous_picture

HOURS = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(48)]
FIRST, SECOND = (0x4F, 0x43, 0xDD), (0xF2, 0x9E, 0x4C)


def _pixels(markdown: str) -> Any:
    from matplotlib.image import imread

    _, _, encoded = markdown.removesuffix(")").partition("data:image/png;base64,")
    return np.round(imread(io.BytesIO(base64.b64decode(encoded)))[:, :, :3] * 255).astype(int)


def _columns(pixels: Any, colour: tuple[int, int, int]) -> list[int]:
    """The pixels of a colour in each column of the image, of those that have any."""
    counted = (pixels == colour).all(axis=2).sum(axis=0)
    return [int(count) for count in counted if count]


@pytest.mark.parametrize("at", [HOURS[:2], ["one", "other"]], ids=["hours", "names"])
def test_a_bar_is_as_high_as_its_value(at: list[Any]) -> None:
    drawn = _columns(_pixels(stacked_bars("Title", at, {"rows": [30, 90]}, "rows")), FIRST)
    low, high = drawn[5], drawn[-5]
    assert high / low == pytest.approx(3, rel=0.05)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["Song\0Played", "日本", "$x_$ and $y", "a\nb", "_", "\x1b[31m"])
def test_a_name_may_have_any_character(name: str) -> None:
    """Neither a warning nor a formula: event types are of a person's making."""
    drawn = _columns(_pixels(stacked_bars("Title", [name, "other"], {name: [1, 2]}, "rows")), FIRST)
    assert drawn
    stacked_bars("Title", HOURS, {name: [1] * 48, "b": [2] * 48}, "rows")


def test_bars_stand_on_top_of_each_other_and_say_which_is_which() -> None:
    pixels = _pixels(stacked_bars("Title", HOURS, {"a": [1] * 48, "b": [2] * 48}, "rows"))
    lower, upper = ((pixels == colour).all(axis=2).nonzero()[0] for colour in (FIRST, SECOND))
    # Without the legend, which is above both.
    below_the_legend = pixels.shape[0] // 6
    assert upper[upper > below_the_legend].max() < lower[lower > below_the_legend].min()
    assert (lower < below_the_legend).any()


@pytest.mark.parametrize(
    "at", [HOURS, ["A rather long name of an event", "Another one"]], ids=["hours", "names"]
)
def test_no_label_is_cut_off_at_the_edge(at: list[Any]) -> None:
    pixels = _pixels(stacked_bars("Title", at, {"rows": [7_654_321] * len(at)}, "rows"))
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == 255).all()


def test_what_did_not_happen_leaves_a_gap() -> None:
    values = [1, 1, 0, 0, 1, 1]
    pixels = _pixels(stacked_bars("Title", HOURS[:6], {"rows": values}, "rows"))
    columns = np.flatnonzero((pixels == FIRST).all(axis=2).any(axis=0))
    assert np.diff(columns).max() > pixels.shape[1] / 5


@pytest.mark.parametrize("at", [[], HOURS[:1]], ids=len)
def test_no_bar_and_one_bar_are_pictures_too(at: list[datetime]) -> None:
    drawn = _pixels(stacked_bars("Title", at, {"rows": [7] * len(at)}, "rows"))
    assert bool(_columns(drawn, FIRST)) == bool(at)


def test_a_picture_of_the_same_state_is_that_of_the_run_before() -> None:
    charts: list[str | None] = []

    @dg.asset
    def drawn(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        version, unchanged = context.run.tags["version"], "unchanged" in context.run.tags
        metadata = {"unchanged": unchanged, "table_version": version}
        before = previous_picture(context, context.asset_key, "picture", metadata)
        charts.append(before)
        new = dg.MetadataValue.md(before or f"drawn at {version}")
        return dg.MaterializeResult(metadata={"picture": new, **metadata})

    def run(version: int, **more: str) -> None:
        dg.materialize([drawn], instance=instance, tags={"version": str(version), **more})

    with dg.DagsterInstance.ephemeral() as instance:
        run(1)
        run(1, unchanged="")
        run(1, unchanged="")
        run(2, unchanged="")
        # A table that was deleted and made again has the same version, and other rows.
        run(2)
    assert charts == [None, "drawn at 1", "drawn at 1", None, None]


def test_without_a_previous_picture_none_is_shown_again() -> None:
    charts: list[str | None] = []

    @dg.asset
    def drawn(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        metadata = {"unchanged": True, "table_version": 1}
        charts.append(previous_picture(context, context.asset_key, "picture", metadata))
        return dg.MaterializeResult(metadata=metadata)

    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            dg.materialize([drawn], instance=instance)
    assert charts == [None, None]
