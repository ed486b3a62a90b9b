"""A statement that may fail: its error becomes a warning, and the transaction continues."""

import secrets


def tried(statement: bytes, mark: str, *, may_be_there: bool = False) -> bytes:
    """Wrap a statement; the warning is `mark`, a colon and what the server said.

    With `may_be_there`, no warning is given if the object exists already.
    """
    # Random: a statement that holds the tag could end the quote and run as anything.
    tag = secrets.token_hex(8)
    shown = mark.replace("'", "''").replace("%", "%%")
    there = "WHEN duplicate_object THEN NULL; " if may_be_there else ""
    return (
        f"\nDO $o{tag}$ BEGIN EXECUTE $i{tag}$".encode()
        + statement
        + f"$i{tag}$; EXCEPTION {there}WHEN OTHERS THEN"
        f" RAISE WARNING '{shown}: %', SQLERRM; END $o{tag}$;".encode()
    )
