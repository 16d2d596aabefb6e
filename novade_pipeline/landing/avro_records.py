"""Records of Avro: object container files, which carry their schema."""

from collections.abc import Iterator
from typing import Any, cast

from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.landing.parquet_records import row_record
from novade_pipeline.landing.records import Columns, Record
from novade_pipeline.storage.store import Store


def avro_records(landing: Store, file: LandedFile, columns: Columns) -> Iterator[Record]:
    """The records of an Avro file, in order; `line` is the record's number, from 1.

    Raises:
        DamagedFile: it is no Avro, is cut off, or lacks a required column.
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
                yield row_record(line, cast("dict[str, Any]", values), columns)
        except (DamagedFile, OSError):
            raise
        # fastavro raises whatever its decoders and codecs do.
        except Exception as error:
            raise DamagedFile(file, f"Avro is damaged ({type(error).__name__})") from None


def _field_names(schema: Any) -> list[str]:
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    return [field["name"] for field in fields]
