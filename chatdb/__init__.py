"""The command line for the life of a chat application's database."""

__version__ = "0.1.0"
