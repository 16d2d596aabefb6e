"""References within one document: by JSON pointer, `$id`, anchor, URN or URL.

Belongs here: resolving a `$ref`, and making a part of a document self-contained, with JSON
pointers from its own root only. Nothing is ever fetched.

Source: JSON Schema draft-07, core, section 8 (`$id` and `$ref`) and RFC 3986, section 5. The base
of a reference is the nearest `$id` above it. Generators write an `$id` everywhere as a label
(`"$id": "/properties/song"`), under which a reference from the document's root names nothing: it
is then looked up from the document's root, and last from that of the event's properties.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from jsonschema import Draft7Validator

from novade_pipeline.defs.tracking_plan.json_schema import (
    Schema,
    children,
    located,
    pointer_step,
    with_subschemas,
)

MAX_LEVELS = 64

_MISSING: Any = object()
_META_SCHEMA: Schema = dict(Draft7Validator.META_SCHEMA)
_META_ID = urldefrag(_META_SCHEMA["$id"])[0]


class ReferenceFault(ValueError):
    """A document whose references cannot be followed: `expected …, found …; …`."""


class Document:
    """A JSON document with a schema, and everything in it that has an address.

    Raises:
        ReferenceFault: its schemas are nested more than 64 levels deep.
    """

    def __init__(self, root: Schema) -> None:
        self._root = root
        # By the identity of the object: equal schemas may have different bases.
        self._base: dict[int, str] = {}
        self._addressed: dict[str, list[Schema]] = {}
        self._register(root, "")

    def target(self, schema: Schema, properties: Any = None) -> Any:
        """What the `$ref` of a schema names: a schema, or a boolean.

        Args:
            schema: of this document, with a `$ref`.
            properties: the schema of the event's properties, where labels hide nothing else.

        Raises:
            ReferenceFault: nothing in the document, two schemas, or no schema.
        """
        reference = schema["$ref"]
        try:
            target = self._look_up(reference, self._base.get(id(schema), ""))
            if target is _MISSING:
                target = self._look_up(reference, self._base[id(self._root)])
            if target is _MISSING and reference.startswith("#/"):
                target = self._step(properties, reference[1:], "")
            if target is _MISSING and urldefrag(reference)[0] == _META_ID:
                self._register(_META_SCHEMA, "")
                target = self._look_up(reference, "")
        except ValueError as error:
            raise _fault(reference, str(error)) from None
        if target is _MISSING:
            raise _fault(reference, "which names nothing in it")
        if not isinstance(target, dict | bool):
            raise _fault(reference, "which names no schema")
        return target

    def standalone(self, root: Schema) -> Schema:
        """A copy of a schema, of this document or made of its parts, that needs nothing else.

        Each `$ref` is a JSON pointer from its root; what it named outside is in `definitions`.

        Raises:
            ReferenceFault: a reference cannot be followed.
        """
        pointers: dict[int, str] = {}
        own = root.get("definitions")
        own = own if isinstance(own, dict) else {}
        definitions: Schema = {}
        queue: list[tuple[str, Schema]] = []

        def pointer_to(target: Schema | bool, reference: str) -> str:
            if not pointers:
                places = reversed(list(located(root)))
                pointers.update((id(sub), pointer) for pointer, sub in places)
            key = id(target)
            if key not in pointers:
                last_step = unquote(reference).rstrip("#/").rpartition("/")[2]
                name = _free_name(last_step, {*definitions, *own})
                pointers[key] = f"#/definitions/{pointer_step(name)}"
                definitions[name] = target
                if isinstance(target, dict):
                    queue.append((name, target))
                    for pointer, sub in located(target, pointers[key]):
                        pointers.setdefault(id(sub), pointer)
            return pointers[key]

        def rewritten(schema: Schema) -> Schema:
            copied = with_subschemas(schema, rewritten)
            for keyword in ("$id", "$anchor", "$defs"):
                copied.pop(keyword, None)
            if isinstance(reference := schema.get("$ref"), str):
                copied["$ref"] = pointer_to(self.target(schema, root), reference)
            return copied

        whole = rewritten(root)
        while queue:
            name, target = queue.pop()
            definitions[name] = rewritten(target)
        if "$schema" in self._root:
            whole["$schema"] = self._root["$schema"]
        if definitions:
            local = whole["definitions"] if own else {}
            whole["definitions"] = {**local, **definitions}
        return whole

    def _register(self, schema: Schema, base: str, level: int = 1, named: bool = True) -> None:
        """Record the base of a schema and of all below it, and their addresses if `named`."""
        if level > MAX_LEVELS:
            raise ReferenceFault(
                f"expected at most {MAX_LEVELS} levels, found more; export the plan again"
            )
        own, anchors = _identity(schema, base)
        self._base[id(schema)] = own
        if named:
            for address in [own] * (own != base or level == 1) + anchors:
                self._addressed.setdefault(address, []).append(schema)
        for sub in _below(schema):
            self._register(sub, own, level + 1, named)

    def _look_up(self, reference: str, base: str) -> Any:
        """The target of a reference, resolved against a base by RFC 3986."""
        # `urljoin` joins nothing to a URN.
        address = base + reference if reference.startswith("#") else urljoin(base, reference)
        uri, _, fragment = address.partition("#")
        if not fragment or fragment.startswith("/"):
            start = self._only(uri)
            return start if start is _MISSING else self._step(start, fragment, uri)
        return self._only(f"{uri}#{unquote(fragment)}")

    def _only(self, address: str) -> Any:
        schemas = self._addressed.get(address, [])
        if any(schema != schemas[0] for schema in schemas):
            raise ValueError("which names two schemas that differ")
        return schemas[0] if schemas else _MISSING

    def _step(self, start: Any, pointer: str, base: str) -> Any:
        """The target of a JSON pointer; a schema in an unexpected place gets its base."""
        target = start
        for step in unquote(pointer).split("/")[1:]:
            base = self._base.get(id(target), base)
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                target = target[int(step) if isinstance(target, list) else step]
            except (KeyError, IndexError, TypeError, ValueError):
                return _MISSING
        if isinstance(target, dict) and id(target) not in self._base:
            self._register(target, base, named=False)
        return target


def _identity(schema: Schema, base: str) -> tuple[str, list[str]]:
    """The base of what is below a schema, and the addresses of its anchors."""
    anchors, own = [], base
    # Beside a `$ref` no keyword counts.
    identifier = None if "$ref" in schema else schema.get("$id")
    if isinstance(identifier, str) and identifier.startswith("#"):
        anchors.append(base + identifier)
    elif isinstance(identifier, str):
        try:
            own, anchor = urldefrag(urljoin(base, identifier))
        except ValueError:
            return base, []
        anchors += [f"{own}#{anchor}"] if anchor else []
    newer = schema.get("$anchor")
    if isinstance(newer, str):
        anchors.append(f"{own}#{newer}")
    return own, anchors


def _below(schema: Schema) -> Iterator[Schema]:
    """The schemas directly below a schema, including the `$defs` of newer drafts."""
    for _, sub in children(schema):
        yield sub
    newer = schema.get("$defs")
    for sub in newer.values() if isinstance(newer, dict) else ():
        if isinstance(sub, dict):
            yield sub


def _free_name(preferred: str, taken: set[str]) -> str:
    name, number = preferred or "schema", 2
    while name in taken:
        name, number = f"{preferred or 'schema'}-{number}", number + 1
    return name


def _fault(reference: str, detail: str) -> ReferenceFault:
    return ReferenceFault(
        f"expected every $ref to stay in its document, found {reference[:80]}, {detail}; copy what "
        "it names into the rule"
    )
