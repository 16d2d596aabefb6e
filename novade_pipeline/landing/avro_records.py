"""Records of Avro: object container files, which carry their schema."""

import json
import math
from collections.abc import Iterator
from typing import Any

from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.landing.records import MAX_RECORD_BYTES, Columns, Record
from novade_pipeline.storage.store import Store


def avro_records(landing: Store, file: LandedFile, columns: Columns) -> Iterator[Record]:
    """The records of an Avro file, in order; `line` is the record's number, from 1.

    Raises:
        DamagedFile: it is no Avro, is cut off, or has not the required columns.
    """
    import fastavro

    with open_landed(landing, file) as stream:
        try:
            reader = fastavro.reader(stream)
            fields = _field_names(reader.writer_schema)
            if missing := columns.missing(fields):
                raise DamagedFile(
                    file, f"expected the fields {', '.join(missing)}, found none of the name"
                )
            for line, values in enumerate(reader, 1):
                yield _record(line, values, columns)
        except (DamagedFile, OSError):
            raise
        # fastavro raises whatever its decoders and codecs do.
        except Exception as error:
            raise DamagedFile(file, f"Avro is damaged ({type(error).__name__})") from None


def _field_names(schema: Any) -> list[str]:
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    return [field["name"] for field in fields]


def _record(line: int, values: Any, columns: Columns) -> Record:
    text = json.dumps(values, ensure_ascii=False, default=str)
    if len(text) > MAX_RECORD_BYTES:
        reason = (
            f"expected a record of at most {MAX_RECORD_BYTES >> 20} MiB, found {len(text):,} "
            "characters"
        )
        return Record(line, None, text, len(text), reason)
    named = {
        columns.column_of(name): None if isinstance(value, float) and math.isnan(value) else value
        for name, value in values.items()
    }
    if not any(str(value).strip() for value in named.values() if value is not None):
        return Record(line, None, text, len(text))
    return Record(line, named, text, len(text))
