"""How far a table has taken in its source, kept with its rows: in the commit that wrote them.

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
    """Where a read goes on.

    Attributes:
        name: of the source.
        policy: the fingerprint of the policy.
        generation: all rows of one were read under its policy.
        value: all that is older than it has been taken in; None: nothing yet.
        is_whole: the generation has been read whole, once.
    """

    name: str
    policy: str
    generation: int
    value: int | None = None
    is_whole: bool = False

    def restarted(self) -> "Watermark":
        """A generation that begins from nothing."""
        return replace(self, generation=self.generation + 1, value=None, is_whole=False)

    def transactions(self) -> dict[str, int]:
        """What records it with a commit; nothing where nothing has been taken in."""
        if self.value is None:
            return {}
        of_policy = f"{self.name}:{self.policy}"
        return {
            self.name: self.generation,
            of_policy: self.generation,
            f"{of_policy}:{self.generation}": self.value,
        } | ({f"{of_policy}:{self.generation}:all": 1} if self.is_whole else {})


def watermark(store: Store, table: Table, name: str, policy: PersonalDataPolicy) -> Watermark:
    """Where a read of that source, under that policy, goes on; one table may have several."""
    found = open_table(store, table)
    fingerprint = policy.fingerprint
    if found is None:
        return Watermark(name, fingerprint, 1)
    newest: int = found.transaction_version(name) or 0
    of_policy = f"{name}:{fingerprint}"
    if not newest or found.transaction_version(of_policy) != newest:
        return Watermark(name, fingerprint, newest + 1)
    return Watermark(
        name,
        fingerprint,
        newest,
        found.transaction_version(f"{of_policy}:{newest}"),
        bool(found.transaction_version(f"{of_policy}:{newest}:all")),
    )
