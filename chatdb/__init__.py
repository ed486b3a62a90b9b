"""The command line for a chat application's database."""

__version__ = "0.1.0"
