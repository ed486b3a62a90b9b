"""`chatdb messages`: the messages of one conversation: add, list, edit and delete."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli import completion
from chatdb.cli.added_columns import warn_of_added_columns
from chatdb.cli.commands.conversations.delete import tell_way_back
from chatdb.cli.confirm import confirm, would_be
from chatdb.cli.context import CommandContext
from chatdb.cli.erasing import attached_digests, erase_attachments, tell_erased
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import (
    AfterOption,
    AllOrgsOption,
    DataCommand,
    DryRunOption,
    KeepToOption,
    LimitOption,
    NewMetaOption,
    NoKeepOption,
    RolesOption,
    UserOption,
    WithinConversation,
    YesOption,
    argument,
    option,
)
from chatdb.cli.organizations_meant import locate, scope_of, tell_nothing, telling_who_has_some
from chatdb.cli.text import counted, one_line
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.operations.conversations.messages import ListedMessage

app = group_app("Add, list, edit and delete messages.")

_SHORT_ID = 8
_PLANNED = 10
_SNIPPET = 70

MessageArgument = Annotated[str, argument("MESSAGE", "Full id, its beginning or end, or: last.")]
TextArgument = Annotated[
    str | None, argument("[TEXT]", "Message text; if omitted or -, read from standard input.")
]
RoleOption = Annotated[
    str | None,
    option(
        "--role ROLE",
        "Role: user, assistant, system or tool.",
        autocompletion=completion.roles,
    ),
]
AuthorOption = Annotated[str | None, option("--author NAME", "Provider, or name of the tool.")]
ModelOption = Annotated[str | None, option("--model NAME", "Name of the model.")]
ReasoningOption = Annotated[
    str | None, option("--reasoning TEXT|JSON", "Reasoning that preceded the answer.")
]
ToolCallsOption = Annotated[str | None, option("--tool-calls JSON", "Tool calls of the message.")]
ToolOutputsOption = Annotated[str | None, option("--tool-outputs JSON", "Results of tool calls.")]
AttachmentsOption = Annotated[
    str | None, option("--attachments JSON", "Files attached to the message.")
]


@app.command(cls=DataCommand)
def reindex(context: typer.Context) -> None:
    """Fill the attached text of messages imported before.

    What people saw beside them (pasted texts, reports, artifacts) becomes searchable. Made from
    what is stored, in all organizations: no export is needed. Interrupted, it goes on the next
    time.

    \b
    Example:
      chatdb messages reindex
    """
    from chatdb.cli.backup_options import StageWatch
    from chatdb.operations.conversations.reindex import reindex_messages

    command = CommandContext.of(context)
    with command.open_database() as database, StageWatch(command) as watch:
        report = reindex_messages(database, watch)
    of = counted(report.conversations, "conversation")
    words = f"added text to {counted(report.messages, 'message')}; looked through {of}"
    command.output.record(report, words=words)


@app.command(cls=DataCommand)
def add(
    context: typer.Context,
    conversation: WithinConversation,
    text: TextArgument = None,
    role: RoleOption = None,
    author: AuthorOption = None,
    model: ModelOption = None,
    reasoning: ReasoningOption = None,
    tool_calls: ToolCallsOption = None,
    tool_outputs: ToolOutputsOption = None,
    attachments: AttachmentsOption = None,
    parent: Annotated[
        str | None,
        option("--parent MESSAGE", "Message it replies to.  [default: end of the active branch]"),
    ] = None,
    meta: NewMetaOption = None,
    as_json: Annotated[
        bool, option("--json", "TEXT is JSON: one object, a list, or one object per line.")
    ] = False,
    user: UserOption = None,
) -> None:
    """Add a message to a conversation.

    It becomes the end of the active branch. With --json several messages are added at once, all or
    none.

    \b
    Examples:
      chatdb messages add last "And with rye?"
      ollama run llama3 < ask.txt | chatdb messages add last --role assistant
      chatdb messages add last --json < messages.jsonl
    """
    from chatdb.cli.input import read_text
    from chatdb.operations.conversations import messages as operation
    from chatdb.operations.conversations.message_words import messages_of
    from chatdb.operations.conversations.metadata_words import object_of

    command = CommandContext.of(context)
    fields = _fields(role, author, model, reasoning, tool_calls, tool_outputs, attachments)
    if meta:
        fields["metadata"] = object_of(meta)
    if parent is not None:
        fields["parent"] = parent
    if as_json:
        if fields:
            raise UsageError(
                "--json and the options of a message exclude each other",
                hint="write the fields into the JSON: role, model, parent_id ...",
            )
        new = messages_of(read_text(command, text))
    else:
        says_enough = any(name in fields for name in operation.CONTENTS)
        content = "" if text is None and says_enough else read_text(command, text)
        new = [operation.NewMessage(content=content, **fields)]
    with command.open_database(user=user) as database:
        added = operation.add(
            database, conversation, new, organization_key=command.org, user_id=user
        )
    command.output.record(added)
    if added.replaced_characters:
        command.diagnostics.warning(
            f"{counted(added.replaced_characters, 'character')} that no database can store replaced"
        )


@app.command(name="list", cls=DataCommand)
def list_messages(
    context: typer.Context,
    conversation: WithinConversation,
    limit: LimitOption = 50,
    after: AfterOption = None,
    newest_first: Annotated[bool, option("--newest-first", "Start with the last message.")] = False,
    role: RolesOption = None,
    user: UserOption = None,
    all_orgs: AllOrgsOption = False,
) -> None:
    """List the messages of all branches of a conversation.

    \b
    Example:
      chatdb messages list last --newest-first --limit 10
    """
    from chatdb.operations.conversations import messages as operation
    from chatdb.operations.conversations.message_words import role_of

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with (
        command.open_database(user=user) as database,
        telling_who_has_some(command, database, scope),
    ):
        key, named = locate(database, conversation, scope, user=user)
        page = operation.list_page(
            database,
            named,
            organization_key=key,
            user_id=user,
            limit=limit,
            after=after,
            newest_first=newest_first,
            roles=[role_of(each) for each in role or ()],
        )
    keys = [key] * len(page.items) if all_orgs else None
    command.output.rows(
        page.items,
        operation.ListedMessage,
        organizations=keys,
        table=_cells,
        shortened=("organization", "model", "content"),
    )
    if not page.items:
        tell_nothing(command, "message")
    if page.next_cursor is not None:
        command.tell_more(page.next_cursor)


@app.command(cls=DataCommand)
def edit(
    context: typer.Context,
    conversation: WithinConversation,
    message: MessageArgument,
    text: TextArgument = None,
    role: RoleOption = None,
    author: AuthorOption = None,
    model: ModelOption = None,
    reasoning: ReasoningOption = None,
    tool_calls: ToolCallsOption = None,
    tool_outputs: ToolOutputsOption = None,
    attachments: AttachmentsOption = None,
    user: UserOption = None,
) -> None:
    """Change a message; imports keep your change.

    Without TEXT only the given options change; without either, TEXT is read from standard input. An
    empty value clears the field.

    \b
    Example:
      chatdb messages edit last 9c0d1e2f "And with rye flour?"
    """
    from chatdb.cli.input import read_text
    from chatdb.operations.conversations import messages as operation

    command = CommandContext.of(context)
    changes = _fields(role, author, model, reasoning, tool_calls, tool_outputs, attachments)
    if text is not None or not changes:
        changes["content"] = read_text(command, text)
    with command.open_database(user=user) as database:
        edited = operation.edit(
            database, conversation, message, changes, organization_key=command.org, user_id=user
        )
    command.output.record(edited, table=_cells)


@app.command(cls=DataCommand)
def delete(
    context: typer.Context,
    conversation: WithinConversation,
    messages: Annotated[
        list[str], argument("MESSAGE...", "Ids, or the beginning or end of each, or: last.")
    ],
    user: UserOption = None,
    keep_to: KeepToOption = None,
    no_keep: NoKeepOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete messages, keeping the conversation in a file.

    Replies to them are attached to the message above. Importing the source again does not restore
    them; importing the kept file with --restore-deleted does.

    \b
    Example:
      chatdb messages delete last 9c0d1e2f --dry-run
    """
    from chatdb.operations.conversations import delete_messages as operation
    from chatdb.operations.kept.files import default_keep_path

    if no_keep and keep_to is not None:
        raise UsageError("--no-keep and --keep-to exclude each other", hint="leave one out")
    command = CommandContext.of(context)
    erased = True
    with command.open_database(user=user) as database:
        within, found = operation.find_deletable(
            database, conversation, messages, organization_key=command.org, user_id=user
        )
        path = None if no_keep else keep_to or default_keep_path(database, now=datetime.now(UTC))
        ids = tuple(message.id for message in found)
        done = operation.MessageDeletion(
            conversation_id=within, messages=len(ids), kept=path, dry_run=True, ids=ids
        )
        plan = _plan(found, path)
        if not dry_run:
            if path is not None:
                warn_of_added_columns(command, database, "what is kept")
            confirm(command, plan, yes=yes)
            digests = attached_digests(
                command, database, command.org, [within], keeps=path is not None
            )
            done = operation.delete_messages(
                database, within, ids, organization_key=command.org, keep_to=path
            )
            erased = erase_attachments(command, database, command.org, digests)
    command.output.record(done, words=would_be("deleted", plan) if dry_run else None)
    if done.kept is not None and not dry_run:
        tell_way_back(command, done.kept)
    tell_erased(erased)


def _fields(
    role: str | None,
    author: str | None,
    model: str | None,
    reasoning: str | None,
    tool_calls: str | None,
    tool_outputs: str | None,
    attachments: str | None,
) -> dict[str, Any]:
    """Return the fields that were given; an empty value is None."""
    from chatdb.operations.conversations.message_words import json_of, json_or_text, role_of

    fields: dict[str, Any] = {}
    if role is not None:
        fields["role"] = role_of(role)
    for name, text in (("author", author), ("model", model)):
        if text is not None:
            fields[name] = text or None
    if reasoning is not None:
        fields["reasoning"] = json_or_text(reasoning) if reasoning else None
    for name, text in (
        ("tool_calls", tool_calls),
        ("tool_outputs", tool_outputs),
        ("attachments", attachments),
    ):
        if text is not None:
            option = "--" + name.replace("_", "-")
            fields[name] = json_of(text, option) if text else None
    return fields


def _cells(message: "ListedMessage") -> dict[str, Any]:
    return {
        "No.": message.position,
        "id": message.id.hex[-_SHORT_ID:],
        "role": message.role,
        "model": message.model,
        "created_at": message.created_at,
        "content": _beginning(message, _SNIPPET),
    }


def _beginning(message: "ListedMessage", limit: int) -> str:
    """Return the beginning of a message, or what it contains instead of text."""
    content = message.content
    if "\ue200" in content:
        from chatdb.formats.citations import without_marks

        content = without_marks(content)
    if content.strip():
        return one_line(content[: 4 * limit], limit=limit)
    others = ("reasoning", "tool_calls", "tool_outputs", "attachments")
    held = [name.replace("_", " ") for name in others if getattr(message, name)]
    return f"[{', '.join(held)}]" if held else ""


def _plan(found: "list[ListedMessage]", kept: object) -> list[str]:
    lines = [
        f"{each.id.hex[-_SHORT_ID:]}  {each.role}: {_beginning(each, 50)}"
        for each in found[:_PLANNED]
    ]
    if len(found) > _PLANNED:
        lines.append(f"and {counted(len(found) - _PLANNED, 'more message')}")
    lines.append(f"total {counted(len(found), 'message')}; replies to them are attached above")
    lines.append(f"the conversation is kept in {kept}" if kept is not None else "nothing is kept")
    return lines
