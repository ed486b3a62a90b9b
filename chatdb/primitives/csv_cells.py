"""Cells of CSV that a spreadsheet does not run as formulas."""

_FORMULA_STARTS = ("=", "+", "-", "@")
_CONTROLS = ("\t", "\r", "\n")
"""A spreadsheet may take what follows one of these for a new cell."""
_UNSEEN = ("C", "Z")
"""Unicode categories of invisible characters: controls, zero-width characters, spaces."""


def guarded(text: str) -> str:
    """Return the text of a cell, behind `'` if a spreadsheet may run it as a formula."""
    return "'" + text if _looks_like_a_formula(text) else text


def _looks_like_a_formula(text: str) -> bool:
    """Tell whether a spreadsheet may run the text: leading spaces and full-width signs count."""
    if text[:1].isalnum():
        return False
    if text.startswith(_CONTROLS):
        return True
    from unicodedata import category, normalize

    first = next((each for each in text if category(each)[0] not in _UNSEEN), "")
    return normalize("NFKC", first).startswith(_FORMULA_STARTS)
