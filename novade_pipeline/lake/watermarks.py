"""How far a table has read its source, recorded in the commits that wrote its rows.

A watermark counts for the personal-data policy that the rows were written under. Another policy
begins another generation, from nothing, and so does the first one where it comes back. All of it
is Delta transactions of the table, numbers by name that only ever grow:

| transaction               | says                                         |
|---------------------------|----------------------------------------------|
| `<name>`                  | the newest generation                        |
| `<name>:<policy>`         | the newest generation of that policy         |
| `<name>:<policy>:<n>`     | the watermark of a generation                |
| `<name>:<policy>:<n>:all` | it has been read whole                       |
"""

from dataclasses import dataclass, replace

from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class Watermark:
    """Where the next read begins.

    Attributes:
        policy: the fingerprint of the policy.
        generation: all rows of one were read under its policy.
        value: all that is older has been read; None: nothing yet.
        is_whole: the generation has been read whole, once.
    """

    name: str
    policy: str
    generation: int
    value: int | None = None
    is_whole: bool = False

    def restarted(self) -> "Watermark":
        """The next generation, which begins from nothing."""
        return replace(self, generation=self.generation + 1, value=None, is_whole=False)

    def transactions(self) -> dict[str, int]:
        """The transactions that record it with a commit; none before the first read."""
        if self.value is None:
            return {}
        of_policy = f"{self.name}:{self.policy}"
        return {
            self.name: self.generation,
            of_policy: self.generation,
            f"{of_policy}:{self.generation}": self.value,
        } | ({f"{of_policy}:{self.generation}:all": 1} if self.is_whole else {})


def watermark(store: Store, table: Table, name: str, policy: PersonalDataPolicy) -> Watermark:
    """The watermark of a source under a policy; one table may have several."""
    target = open_table(store, table)
    fingerprint = policy.fingerprint
    if target is None:
        return Watermark(name, fingerprint, 1)
    newest: int = target.transaction_version(name) or 0
    of_policy = f"{name}:{fingerprint}"
    if not newest or target.transaction_version(of_policy) != newest:
        return Watermark(name, fingerprint, newest + 1)
    return Watermark(
        name,
        fingerprint,
        newest,
        target.transaction_version(f"{of_policy}:{newest}"),
        bool(target.transaction_version(f"{of_policy}:{newest}:all")),
    )
