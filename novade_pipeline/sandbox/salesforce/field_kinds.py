"""Fields of the usual kinds, for the objects of the made-up organisation."""

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
    """Fields of one type, of the size that it usually has."""
    length = _SIZES.get(of_type, 0)
    return tuple(Field(name, of_type, length, compound) for name in names)


def number(of_type: str, name: str, precision: int, scale: int, compound: str = "") -> Field:
    """A number of so many digits, of which so many are decimals."""
    return Field(name, of_type, compound=compound, precision=precision, scale=scale)


def picklist(name: str, *values: str, of_type: str = "picklist") -> Field:
    """A field with a list of values."""
    return Field(name, of_type, _SIZES[of_type], values=values)


def reference(name: str, *objects: str) -> Field:
    """A field that refers to records of these objects."""
    return Field(name, "reference", 18, refers_to=objects)


def address(of: str) -> tuple[Field, ...]:
    """The parts of a compound address, and the whole."""
    whole = f"{of}Address"
    return (
        Field(f"{of}Street", "textarea", LONGEST_PLAIN_TEXT, whole),
        *fields(
            "string",
            f"{of}City",
            f"{of}State",
            f"{of}PostalCode",
            f"{of}Country",
            compound=whole,
        ),
        *(number("double", f"{of}{one}", 18, 15, whole) for one in ("Latitude", "Longitude")),
        Field(whole, "address"),
    )
