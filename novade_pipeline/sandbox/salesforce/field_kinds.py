"""Constructors for fields of the usual kinds, and the fields that objects share."""

from novade_pipeline.sandbox.salesforce.fields import LONGEST_PLAIN_TEXT, Field

_SIZES = {
    "string": 255,
    "textarea": 32_000,
    "email": 80,
    "phone": 40,
    "url": 255,
    "picklist": 255,
    "multipicklist": 4_099,
}


def fields(of_type: str, *names: str, compound: str = "") -> tuple[Field, ...]:
    """Fields of one type, with its usual size."""
    length = _SIZES.get(of_type, 0)
    return tuple(Field(name, of_type, length, compound) for name in names)


def number(of_type: str, name: str, precision: int, scale: int, compound: str = "") -> Field:
    """A number with a precision and a scale."""
    return Field(name, of_type, compound=compound, precision=precision, scale=scale)


def picklist(name: str, *values: str, of_type: str = "picklist") -> Field:
    """A field with a list of values."""
    return Field(name, of_type, _SIZES[of_type], values=values)


def reference(name: str, *objects: str) -> Field:
    """A field that refers to records of these objects."""
    return Field(name, "reference", 18, refers_to=objects)


def address(prefix: str) -> tuple[Field, ...]:
    """The parts of a compound address, and the address."""
    whole = f"{prefix}Address"
    return (
        Field(f"{prefix}Street", "textarea", LONGEST_PLAIN_TEXT, whole),
        *fields(
            "string",
            f"{prefix}City",
            f"{prefix}State",
            f"{prefix}PostalCode",
            f"{prefix}Country",
            compound=whole,
        ),
        *(number("double", f"{prefix}{part}", 18, 15, whole) for part in ("Latitude", "Longitude")),
        Field(whole, "address"),
    )


FULL_NAME = (
    Field("FirstName", "string", 40, "Name", extra="personname"),
    Field("LastName", "string", 80, "Name", extra="personname"),
    Field("Name", "string", 121, extra="personname"),
)
ID = Field("Id", "id", 18)
CREATED = (Field("CreatedDate", "datetime"), reference("CreatedById", "User"))
MODIFIED = (
    Field("LastModifiedDate", "datetime"),
    reference("LastModifiedById", "User"),
    Field("SystemModstamp", "datetime"),
)
RECORD_FIELDS = (ID, Field("IsDeleted", "boolean"), *CREATED, *MODIFIED)
"""Fields of objects whose records go to the recycle bin."""
