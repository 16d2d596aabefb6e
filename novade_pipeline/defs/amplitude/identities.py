"""Who is who after all merges: each merged user's last survivor.

`amplitude_id` is merged into `merged_amplitude_id`, which survives, and may be merged in turn.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Merge(NamedTuple):
    """One merge: `merged` ends and is `into` from then on."""

    merged: int
    into: int
    time: int


def survivors(merges: Iterable[Merge]) -> dict[int, int]:
    """Merged user -> the user that it is now; users that were never merged are not in it.

    Of several merges of one user the newest counts. Where merges lead in a circle, the oldest of
    them is taken back, so its user survives. The order of `merges` makes no difference.
    """
    newest: dict[int, Merge] = {}
    for merge in merges:
        known = newest.get(merge.merged)
        if merge.merged != merge.into and (known is None or _age(merge) > _age(known)):
            newest[merge.merged] = merge
    found: dict[int, int] = {}
    for user in newest:
        _follow(user, newest, found)
    return {user: survivor for user, survivor in found.items() if user != survivor}


def _follow(user: int, newest: Mapping[int, Merge], found: dict[int, int]) -> None:
    """Find the survivor of `user` and of everybody on the way to it."""
    path: list[int] = []
    position: dict[int, int] = {}
    at = user
    while at not in found and at in newest and at not in position:
        position[at] = len(path)
        path.append(at)
        at = newest[at].into
    if at in found:
        survivor = found[at]
    elif at in position:
        circle = path[position[at] :]
        survivor = min((newest[member] for member in circle), key=_age).merged
    else:
        survivor = at
    found.update(dict.fromkeys(path, survivor))


def _age(merge: Merge) -> tuple[int, int, int]:
    return merge.time, merge.into, merge.merged
