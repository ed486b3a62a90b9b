"""The entry point: answers `--version` at once, leaves everything else to the app."""

import sys


def main() -> None:
    """Run the command line given to the process; never returns normally."""
    if sys.argv[1:] == ["--version"]:
        from chatdb import __version__

        sys.stdout.write(f"chatdb {__version__}\n")
        return
    from chatdb.cli.app import app

    app(prog_name="chatdb")


if __name__ == "__main__":
    main()
