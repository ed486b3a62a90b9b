"""`chatdb conversations`: the commands on whole conversations."""

from chatdb.cli.commands.conversations.branches import fork, merge, split
from chatdb.cli.commands.conversations.changes import SETTING_FLAGS, create, rename, touch
from chatdb.cli.commands.conversations.delete import delete
from chatdb.cli.commands.conversations.list import list_conversations
from chatdb.cli.commands.conversations.show import show
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand

app = group_app("List, show, create, change and delete conversations.")

app.command(cls=DataCommand, name="list")(list_conversations)
app.command(cls=DataCommand)(show)
app.command(cls=DataCommand)(create)
app.command(cls=DataCommand)(rename)
for name, setting in SETTING_FLAGS.items():
    app.command(cls=DataCommand, name=name)(setting)
app.command(cls=DataCommand)(touch)
app.command(cls=DataCommand)(fork)
app.command(cls=DataCommand)(split)
app.command(cls=DataCommand)(merge)
app.command(cls=DataCommand)(delete)
