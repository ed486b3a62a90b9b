"""A record made of others that have fields of the same names."""

from typing import Any, TypeVar

T = TypeVar("T")


def filled(kind: type[T], /, *sources: object, **values: Any) -> T:
    """Return a record: each field from `values`, else from the first source that has it.

    A source may be None, if nothing is known: what no other source has is then None. Otherwise it
    keeps its default.
    """
    known = [source for source in sources if source is not None]
    for name in field_names(kind):
        if name in values:
            continue
        source = next((each for each in known if hasattr(each, name)), None)
        if source is not None:
            values[name] = getattr(source, name)
        elif len(known) < len(sources):
            values[name] = None
    return kind(**values)


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """Return the field names of a dataclass or msgspec Struct, in their order."""
    names = getattr(kind, "__struct_fields__", None) or getattr(kind, "__dataclass_fields__", None)
    if names is None:
        raise TypeError(f"{kind.__name__} is neither a dataclass nor a Struct")
    return tuple(names)
