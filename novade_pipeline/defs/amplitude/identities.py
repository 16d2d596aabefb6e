"""Who is who after all merges: each merged user's last survivor.

`amplitude_id` is merged into `merged_amplitude_id`, which survives, and may be merged in turn. All
merges are followed at once, as arrays: some 60 bytes a merged user.
"""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from novade_pipeline.defs.amplitude.tables import IDENTITIES

Integers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
MERGE_COLUMNS = ("amplitude_id", "merged_amplitude_id", "merge_time")


def survivors(merges: pa.Table) -> pa.Table:
    """The rows of `amplitude/identities`; users that were never merged are not among them.

    Of several merges of one user the newest counts. Where merges lead in a circle, the oldest of
    them is taken back, so its user survives. The order of `merges` makes no difference.

    Args:
        merges: with `MERGE_COLUMNS`; a merge without a time is the oldest.
    """
    users, into, time = _newest_merges(merges)
    if not len(users):
        return IDENTITIES.schema.empty_table()
    place = np.minimum(np.searchsorted(users, into), len(users) - 1)
    is_merged_on = users[place] == into
    step = np.where(is_merged_on, place, np.arange(len(users)))
    # Each round doubles the steps: after the last, whoever has an end has reached it.
    for _ in range(len(users).bit_length()):
        step = step[step]
    survivor = into[step]
    # What has no end leads into a circle; its oldest merge is taken back.
    taken_back = np.full(len(users), -1)
    for start in np.unique(step[is_merged_on[step]]).tolist():
        if taken_back[start] < 0:
            circle = _circle(place, start)
            age = np.lexsort((users[circle], into[circle], time[circle]))
            taken_back[circle] = circle[age[0]]
    in_circle = taken_back[step] >= 0
    survivor[in_circle] = users[taken_back[step[in_circle]]]
    other = survivor != users
    return pa.table([users[other], survivor[other]], schema=IDENTITIES.schema)


def _newest_merges(merges: pa.Table) -> tuple[Integers, Integers, Integers]:
    """(user, the user that it was merged into last, when), in the order of the users."""
    columns = (merges[name].fill_null(0).to_numpy() for name in MERGE_COLUMNS)
    user, into, time = columns
    real = user != into
    user, into, time = user[real], into[real], time[real]
    order = np.lexsort((into, time, user))
    user, into, time = user[order], into[order], time[order]
    is_last = np.append(user[1:] != user[:-1], True)[: len(user)]
    return user[is_last], into[is_last], time[is_last]


def _circle(place: Integers, start: int) -> Integers:
    """The places of the users of a circle, from one of them on."""
    circle = [start]
    while (at := int(place[circle[-1]])) != start:
        circle.append(at)
    return np.array(circle)
