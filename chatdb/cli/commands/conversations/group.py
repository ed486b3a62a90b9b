"""`chatdb conversations`: the commands on whole conversations."""

from chatdb.cli.commands.conversations.branches import fork, merge, split
from chatdb.cli.commands.conversations.changes import SETTING_FLAGS, create, rename, touch
from chatdb.cli.commands.conversations.delete import delete
from chatdb.cli.commands.conversations.list import list_conversations
from chatdb.cli.commands.conversations.show import show
from chatdb.cli.lazy_group import group_app

app = group_app("List, show, create, change and delete conversations.")

app.command(name="list")(list_conversations)
app.command()(show)
app.command()(create)
app.command()(rename)
for setting in SETTING_FLAGS:
    app.command()(setting)
app.command()(touch)
app.command()(fork)
app.command()(split)
app.command()(merge)
app.command()(delete)
