"""Hands a function and its items to Spark's executors, and collects their small results.

The same way for a classic session and for Spark Connect: a range of as many rows as there are
items, each in a partition of its own, mapped through a function that has the items. A failure that
would happen again comes back as a result, and Spark does not run its item again; any other one is
raised in the executor, and Spark does, also where the executor was killed.
"""

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.spark.conf import ATTEMPTS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Item = TypeVar("Item")
Result = TypeVar("Result")

REMOTE_PARALLELISM = 8
"""Of a Connect server that does not say how many items it runs at once."""
_SCHEMA = "number long, is_result boolean, content binary"


@dataclass(frozen=True)
class SparkExecutors:
    """The executors of a session."""

    session: "SparkSession"

    @property
    def parallelism(self) -> int:
        """How many items run at once."""
        if is_remote(self.session):
            configured = self.session.conf.get("spark.default.parallelism", None)
            return int(configured) if configured else REMOTE_PARALLELISM
        return int(self.session.sparkContext.defaultParallelism)

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], name: str
    ) -> list[Result]:
        """The results of a function, in the order of the items.

        Args:
            function: of a module that executors can import, or one that can be pickled.
            items: small; what is large they read themselves.
            name: what Spark's page calls the job.

        Raises:
            UserError: the function raised one for an item; a `PermanentFailure` as such.
            TransientFailure: it raised one for an item again and again, or Spark failed.
        """
        if not items:
            return []
        if not is_remote(self.session):
            self.session.sparkContext.setJobDescription(name)
        work = _Work(function, tuple(items))
        try:
            rows = (
                self.session.range(0, len(items), 1, len(items)).mapInArrow(work, _SCHEMA).collect()
            )
        except Exception as error:
            raise _failure_of(name, error) from None
        results: dict[int, Any] = {}
        for number, is_result, content in rows:
            value = pickle.loads(content)  # noqa: S301 - from our own executors
            if not is_result:
                raise _located(value, name, number, len(items))
            results[number] = value
        return [results[number] for number in range(len(items))]


def is_remote(session: Any) -> bool:
    """Whether a session is one of Spark Connect."""
    return ".connect." in type(session).__module__


@dataclass(frozen=True)
class _Work:
    """What runs in an executor, for the numbers of the items of its partition."""

    function: Callable[[Any], Any]
    items: tuple[Any, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                is_result, value = self._outcome(number)
                content = [pickle.dumps(value)]
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.array([number], pa.int64()),
                        pa.array([is_result]),
                        pa.array(content, pa.binary()),
                    ],
                    names=["number", "is_result", "content"],
                )

    def _outcome(self, number: int) -> tuple[bool, Any]:
        from pyspark import TaskContext

        task = TaskContext.get()
        is_last = task is None or task.attemptNumber() >= ATTEMPTS - 1
        try:
            return True, self.function(self.items[number])
        except UserError as failure:
            return False, _plain(failure)
        except (TransientFailure, OSError) as failure:
            if not is_last:
                raise
            return False, _plain(failure)
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:
            # The message may have values of rows in it; where it was raised says enough.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return False, PermanentFailure(
                f"{type(error).__name__} in {frame.filename}, line {frame.lineno}; this is an "
                "error in the program."
            )


def _plain(failure: Exception) -> Exception:
    """A failure of one of the three kinds, whose message is all that it has."""
    for kind in (PermanentFailure, UserError):
        if isinstance(failure, kind):
            return kind(str(failure))
    return TransientFailure(str(failure))


def _located(failure: Exception, name: str, number: int, items: int) -> Exception:
    """The failure with the item that it is of, where there are several."""
    if items == 1:
        return failure
    return type(failure)(f"{name}, item {number + 1} of {items}: {failure}")


def _failure_of(name: str, error: Exception) -> Exception:
    """The failure of a job, without the traces of the virtual machine."""
    text = str(error)
    if "MemoryError" in text or "OutOfMemoryError" in text:
        return PermanentFailure(
            f"{name}: expected the memory of an executor to be enough, found that it is not; set "
            "NOVADE_MEMORY to more, or NOVADE_SPARK_MASTER to fewer cores."
        )
    return TransientFailure(
        f"{name}: Spark failed ({type(error).__name__}: {text.strip().splitlines()[0][:200]})."
        if text.strip()
        else f"{name}: Spark failed ({type(error).__name__})."
    )
