"""`chatdb attachments`: the commands on kept files of messages."""

from chatdb.cli.commands.attachments.check import check
from chatdb.cli.commands.attachments.export import export
from chatdb.cli.commands.attachments.list import list_attachments
from chatdb.cli.commands.attachments.prune import prune
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand

app = group_app("List, export, check and prune kept attachments.")

app.command(cls=DataCommand, name="list")(list_attachments)
app.command(cls=DataCommand)(export)
app.command(cls=DataCommand)(check)
app.command(cls=DataCommand)(prune)
