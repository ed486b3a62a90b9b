"""Cells of CSV that a spreadsheet does not run as formulas."""

_FORMULA_STARTS = ("=", "+", "-", "@")
_CONTROLS = ("\t", "\r", "\n")
"""A spreadsheet may take what follows one of these for a new cell."""
_UNSEEN = ("C", "Z", "M")
"""Unicode categories of invisible characters: controls, zero-width ones, spaces; and of marks,
which make no letter of a sign."""
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""What Unicode calls letters or symbols, but is seen as a blank."""


def guarded(text: str) -> str:
    """Return the text of a cell, behind `'` if a spreadsheet may run it as a formula."""
    return "'" + text if _looks_like_a_formula(text) else text


def _looks_like_a_formula(text: str) -> bool:
    """Tell whether a spreadsheet may run the text: leading spaces and full-width signs count."""
    if text[:1].isalnum() and text[0] not in _BLANKS:
        return False
    if text.startswith(_CONTROLS):
        return True
    from unicodedata import category, normalize

    seen = (each for each in text if category(each)[0] not in _UNSEEN and each not in _BLANKS)
    first = next(seen, "")
    return normalize("NFKC", first).startswith(_FORMULA_STARTS)
