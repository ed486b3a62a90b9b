"""The frame of a page: what it may do, its style, its title."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path

GENERATOR = '<meta name="generator" content="chatdb">'
"""By this a page is known as written by chatdb."""


def page_start(title: str, *, script: str = "", more_style: str = "", images: str = "") -> str:
    """Return a page up to its body; `script` and `more_style` name files beside this one.

    The policy lets nothing be loaded but images from where `images` says, and nothing run but that
    one script.
    """
    style = asset("page.css") + (asset(more_style) if more_style else "")
    runs = f"; script-src {_hash(asset(script))}" if script else ""
    shows = f"; img-src {images}" if images else ""
    policy = (
        f"default-src 'none'; style-src {_hash(style)}{shows}{runs}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"{GENERATOR}\n<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    )


def page_end(*, script: str = "") -> str:
    """Return what follows the body."""
    return (f"<script>{asset(script)}</script>\n" if script else "") + "</body>\n</html>\n"


@cache
def asset(name: str) -> str:
    """Return the text of a style or script."""
    return Path(__file__).with_name(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
