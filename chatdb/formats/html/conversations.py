"""A conversation as HTML: its title, what is known about it, its messages with their branches."""

from collections.abc import Iterator
from functools import partial
from html import escape

from chatdb.formats.base import WriteOptions
from chatdb.formats.conversation_heads import facts_of, marks_of, names_of, title_of
from chatdb.formats.files.selection import chosen_messages
from chatdb.formats.html.forks import Flow, Fork, flow_of
from chatdb.formats.html.messages import fold, message_html, time_html
from chatdb.formats.html.pictures import image_html
from chatdb.formats.kept_pictures import KeptPictures
from chatdb.records import Conversation, Message, is_hidden

_SWITCHES = 100_000
"""Switches by messages: each switch looks at all below it, and a browser took a minute to open
20,000 messages with 2,000."""


def conversation_html(
    record: Conversation, options: WriteOptions, pictures: KeptPictures, start: str = ""
) -> tuple[str, int]:
    """Return a conversation, and how many messages it shows.

    `start` begins the ids of it, if a page has several.
    """
    article = _Article(record, options, pictures, start)
    messages = "".join(article.messages())
    html = (
        f"<article{f' id={start}' if start else ''}>\n"
        f'<h1 dir="auto" lang="">{escape(title_of(record))}</h1>\n'
        f'<p class="about">{_about(record, article.shown)}</p>\n'
        f"{messages}</article>\n"
    )
    return html, article.shown


class _Article:
    def __init__(
        self, record: Conversation, options: WriteOptions, pictures: KeptPictures, start: str
    ) -> None:
        self._record = record
        self._image = partial(image_html, pictures, record)
        self._options = options
        self._start = start
        self._forks = 0
        self._has_switches = True
        self.shown = 0

    def messages(self) -> Iterator[str]:
        """Yield the HTML of messages and forks."""
        if self._options.all_branches and self._record.kind == "chat":
            flow = flow_of(self._record)
            forks = sum(isinstance(step, Fork) for step in flow)
            self._has_switches = forks * len(self._record.messages) <= _SWITCHES
            yield from self._flow(flow)
            return
        chosen = list(chosen_messages(self._record, self._options))
        for each in chosen:
            if each.is_active:
                yield self._message(each.message)
        # Of a text that is kept, the versions before or after the current one.
        for each in chosen:
            if not each.is_active:
                yield fold("Another version", self._message(each.message))

    def _flow(self, flow: Flow) -> Iterator[str]:
        for step in flow:
            if isinstance(step, Fork) and self._has_switches:
                yield self._fork(step)
            elif isinstance(step, Fork):
                for branch in step.branches:
                    yield fold("Another branch", "".join(self._flow(branch)))
            elif self._options.include_hidden or not is_hidden(step):
                yield self._message(step)

    def _fork(self, fork: Fork) -> str:
        self._forks += 1
        name = f"{self._start}f{self._forks}"
        count = len(fork.branches) + 1
        parts = [f'<div class="fork" role="group" aria-label="{count} versions"><b>Versions</b>\n']
        others = iter(fork.branches)
        for number in range(count):
            is_shown = number == fork.shown
            kind, checked = ("", " checked") if is_shown else (' class="other"', "")
            parts.append(
                f'<label{kind}><input type="radio" name="{name}"{checked}>{number + 1}</label>\n'
            )
            if not is_shown:
                parts.append(f'<div class="alt">\n{"".join(self._flow(next(others)))}</div>\n')
        return "".join(parts) + "</div>\n"

    def _message(self, message: Message) -> str:
        self.shown += 1
        hidden = is_hidden(message)
        return message_html(message, f"{self._start}m{self.shown}", self._image, hidden=hidden)


def _about(record: Conversation, shown: int) -> str:
    """Return the line below the title."""
    facts = facts_of(record, shown)
    parts = [each if isinstance(each, str) else f"{time_html(each)} UTC" for each in facts]
    parts += [f"<bdi>{escape(each)}</bdi>" for each in names_of(record)]
    parts += marks_of(record)
    return "".join(f"<span>{each}</span>" for each in parts)
