"""Links between the documents lead somewhere, and no page is out of reach."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_CODE = re.compile(r"(?ms)^ *(```+).*?^ *\1|`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")


def name_of(path: Path) -> str:
    """Return a page's path inside the repository."""
    return str(path.relative_to(ROOT))


def links_of(page: Path) -> list[str]:
    """Return the targets of a page's links but those to other sites; code is no link."""
    found = _LINK.findall(_CODE.sub("", page.read_text()))
    return [target for target in found if "://" not in target]


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text())
    titles = re.findall(r"(?m)^#+ (.+)$", text)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", title).lower()).replace(" ", "-")
        for title in titles
    }


def is_reachable(page: Path, target: str) -> bool:
    """Tell whether the file is there, and its heading."""
    name, _, anchor = target.partition("#")
    file = (page.parent / name).resolve() if name else page
    return file.exists() and (not anchor or anchor in anchors_of(file))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    assert [target for target in links_of(page) if not is_reachable(page, target)] == []


def test_links_are_found() -> None:
    links = [target for page in PAGES for target in links_of(page)]

    assert len(links) > 100
    assert any("#" in target for target in links)
    assert not is_reachable(ROOT / "README.md", "docs/nowhere.md")
    assert not is_reachable(ROOT / "README.md", "docs/search.md#nowhere")


def test_the_readme_leads_to_every_page() -> None:
    found = {(ROOT / target.partition("#")[0]).resolve() for target in links_of(ROOT / "README.md")}

    assert len(PAGES) > 30
    assert [name_of(page) for page in PAGES if page not in found and page.name != "README.md"] == []
