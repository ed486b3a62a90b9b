"""The words of a command line that was typed, changed to print another one."""

from collections.abc import Sequence


def with_option(words: Sequence[str], names: Sequence[str], value: str) -> list[str]:
    """Return the words of a command line with an option set to a value, whatever it had before.

    `names` are its names, of which the last one is written.
    """
    end = words.index("--") if "--" in words else len(words)
    with_value = tuple(f"{name}=" for name in names if name.startswith("--"))
    kept: list[str] = []
    is_value = False
    for word in words[:end]:
        if not is_value and word not in names and not word.startswith(with_value):
            kept.append(word)
        is_value = not is_value and word in names
    return [*kept, names[-1], value, *words[end:]]
