"""The flow of a conversation: every message once, whatever its parents are."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from chatdb.formats.html.forks import Flow, Fork, flow_of
from chatdb.records import Conversation
from tests.operations.export_rows import conversation, message


def tree(parents: Sequence[int | None], leaf: int) -> Conversation:
    """Return messages from 1 on, each with the number of its parent."""
    messages = [
        message(number, parent_id=None if parent is None else UUID(int=parent))
        for number, parent in enumerate(parents, 1)
    ]
    return conversation(1, messages, current_message_id=UUID(int=leaf))


def numbers(flow: Flow) -> list[object]:
    """Return a flow as the numbers of messages; a fork is a list of `shown` and its branches."""
    return [
        [step.shown, *map(numbers, step.branches)] if isinstance(step, Fork) else step.id.int
        for step in flow
    ]


def flat(flow: Flow, depth: int = 0) -> list[tuple[int, int]]:
    """Return the number and the depth of every message."""
    found = []
    for step in flow:
        if isinstance(step, Fork):
            found += [each for branch in step.branches for each in flat(branch, depth + 1)]
        else:
            found.append((step.id.int, depth))
    return found


def test_a_conversation_without_branches_is_a_list() -> None:
    assert numbers(flow_of(tree([None, 1, 2], 3))) == [1, 2, 3]
    assert numbers(flow_of(tree([None, None, None], 3))) == [1, 2, 3]


def test_another_answer_stands_where_the_branches_part() -> None:
    assert numbers(flow_of(tree([None, 1, 2, 1], 3))) == [1, [0, [4]], 2, 3]
    assert numbers(flow_of(tree([None, 1, 2, 1], 4))) == [1, [1, [2, 3]], 4]


def test_another_beginning_stands_at_the_beginning() -> None:
    assert numbers(flow_of(tree([None, 1, None], 2))) == [[0, [3]], 1, 2]


def test_what_follows_the_current_message_is_another_branch() -> None:
    assert numbers(flow_of(tree([None, 1, 2], 2))) == [1, 2, [0, [3]]]


def test_a_branch_inside_another_follows_the_larger_one() -> None:
    assert numbers(flow_of(tree([None, 1, 1, 3, 3, 5], 2))) == [1, [0, [3, [1, [4]], 5, 6]], 2]


@given(st.data())
def test_every_message_stands_once_even_in_circles(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    parent = st.none() | st.integers(1, count + 2)
    parents = data.draw(st.lists(parent, min_size=count, max_size=count))
    leaf = data.draw(st.integers(1, count + 1))

    found = [number for number, _ in flat(flow_of(tree(parents, leaf)))]

    assert sorted(found) == list(range(1, count + 1))


def test_branches_of_branches_lie_flat() -> None:
    count = 20_000
    comb = [None, *(n - 1 if n % 2 else max(1, n - 2) for n in range(2, count + 1))]

    for parents in (comb, [None, *range(1, count)], [None, *[1] * (count - 1)]):
        found = flat(flow_of(tree(parents, 1)))
        assert len(found) == count
        assert max(depth for _, depth in found) <= 15
