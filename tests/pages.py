"""Pages of PDF as pictures, for tests that look at them: the text layer is right beside boxes."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pypdfium2

_DARK = 160
_GAP = 5


@dataclass(frozen=True)
class Picture:
    """Rows of pixels, each three bytes: blue, green, red."""

    rows: tuple[bytes, ...]

    @property
    def width(self) -> int:
        return len(self.rows[0]) // 3

    def inked(self, at: int) -> list[int]:
        """Return the columns of a row that have ink."""
        row = self.rows[at]
        return [x for x in range(self.width) if min(row[3 * x : 3 * x + 3]) < _DARK]

    def bands(self) -> Iterator["Picture"]:
        """Yield what stands on each line, cut at its ink."""
        current: list[int] = []
        for at, row in enumerate(self.rows):
            if min(row) >= _DARK:
                continue
            # An accent stands apart from its letter.
            if current and at - current[-1] > _GAP:
                yield self._cut(current)
                current = []
            current.append(at)
        if current:
            yield self._cut(current)

    def _cut(self, band: list[int]) -> "Picture":
        columns = [x for at in band for x in self.inked(at)]
        first, last = min(columns), max(columns)
        rows = self.rows[band[0] : band[-1] + 1]
        return Picture(tuple(row[3 * first : 3 * last + 3] for row in rows))

    def edges(self) -> tuple[int, int]:
        """Return the first and the last column with ink."""
        columns = [x for at in range(len(self.rows)) for x in self.inked(at)]
        return min(columns), max(columns)

    def colours(self) -> set[tuple[int, int, int]]:
        """Return the colours that are no shades of grey, in steps: red, green, blue."""
        found = set()
        for row in self.rows:
            for blue, green, red in zip(row[::3], row[1::3], row[2::3], strict=True):
                if max(blue, green, red) - min(blue, green, red) > 60:
                    found.add((red // 32, green // 32, blue // 32))
        return found


def pages_of(data: bytes, scale: float = 2) -> list[Picture]:
    """Return the pages of a PDF as pictures; a point is so many pixels."""
    with closing(pypdfium2.PdfDocument(data)) as document:
        return [_picture(page, scale) for page in _pages(document)]


def text_of(data: bytes) -> str:
    """Return the text layer of all pages."""
    texts = []
    with closing(pypdfium2.PdfDocument(data)) as document:
        for page in _pages(document):
            with closing(page.get_textpage()) as layer:
                texts.append(layer.get_text_range())
    return "\n".join(texts).replace("\r\n", "\n")


def metadata_of(data: bytes) -> dict[str, str]:
    """Return what the document says of itself."""
    with closing(pypdfium2.PdfDocument(data)) as document:
        return {name: value for name, value in document.get_metadata_dict().items() if value}


def outline_of(data: bytes) -> list[str]:
    """Return the bookmarks."""
    with closing(pypdfium2.PdfDocument(data)) as document:
        return [each.get_title() for each in document.get_toc()]


def _pages(document: pypdfium2.PdfDocument) -> Iterator[pypdfium2.PdfPage]:
    for number in range(len(document)):
        with closing(document[number]) as page:
            yield page


def _picture(page: pypdfium2.PdfPage, scale: float) -> Picture:
    with closing(page.render(scale=scale, prefer_bgrx=False)) as bitmap:
        data, stride = bytes(bitmap.buffer), bitmap.stride
        assert bitmap.n_channels == 3
        length = 3 * bitmap.width
        return Picture(tuple(data[y * stride : y * stride + length] for y in range(bitmap.height)))
