"""The last survivor of each merged user.

`amplitude_id` is merged into `merged_amplitude_id`, which survives, and may be merged in turn. All
merges are followed as arrays, in some 60 bytes a merged user.
"""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from novade_pipeline.defs.amplitude.tables import IDENTITIES

Integers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
MERGE_COLUMNS = ("amplitude_id", "merged_amplitude_id", "merge_time")


def survivors(merges: pa.Table) -> pa.Table:
    """The rows of `amplitude/identities`: every user that was merged, with its survivor.

    Of several merges of a user the newest counts. In a cycle of merges the oldest is reverted, so
    its user survives. The order of `merges` makes no difference.

    Args:
        merges: with `MERGE_COLUMNS`; a merge without a time is the oldest.
    """
    users, into, time = _newest_merges(merges)
    if not len(users):
        return IDENTITIES.schema.empty_table()
    place = np.minimum(np.searchsorted(users, into), len(users) - 1)
    is_merged_on = users[place] == into
    step = np.where(is_merged_on, place, np.arange(len(users)))
    # Each round doubles the steps: after the last, every chain with an end has reached it.
    for _ in range(len(users).bit_length()):
        step = step[step]
    survivor = into[step]
    # A chain without an end leads into a cycle; its oldest merge is reverted.
    reverted = np.full(len(users), -1)
    for start in np.unique(step[is_merged_on[step]]).tolist():
        if reverted[start] < 0:
            cycle = _cycle(place, start)
            age = np.lexsort((users[cycle], into[cycle], time[cycle]))
            reverted[cycle] = cycle[age[0]]
    in_cycle = reverted[step] >= 0
    survivor[in_cycle] = users[reverted[step[in_cycle]]]
    is_merged = survivor != users
    return pa.table([users[is_merged], survivor[is_merged]], schema=IDENTITIES.schema)


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


def _cycle(place: Integers, start: int) -> Integers:
    """The positions of the users in a cycle, from `start` on."""
    cycle = [start]
    while (at := int(place[cycle[-1]])) != start:
        cycle.append(at)
    return np.array(cycle)
