"""Commands as processes of their own, as the tests of the command line run them."""

from tests.cli.conftest import run_process

__all__ = ["run_process"]
