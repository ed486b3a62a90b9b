"""Scheduled backups: a systemd timer, a cron line, a Compose service, for given settings.

Only produces text; the head of each text says where it goes and how to enable it. It contains no
secrets: those belong in the environment file, which both systemd and the shell read.
"""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time
from pathlib import Path
from typing import Literal

from chatdb.backups.store import is_remote
from chatdb.db.url import DatabaseUrl
from chatdb.errors import UsageError

Every = Literal["hourly", "daily", "weekly"]
Target = Literal["systemd", "cron", "compose"]

ENVIRONMENT_FILE = "/etc/chatdb/backup.env"
HOME = "/var/lib/chatdb"
"""The user's home and working directory: relative places are relative to it."""

USER = "chatdb"

_HOUR, _DAY, _WEEK = 3600, 86_400, 604_800
_PERIOD: dict[Every, int] = {"hourly": _HOUR, "daily": _DAY, "weekly": _WEEK}
_SUNDAY = 3
"""The days from the epoch, a Thursday, to the next Sunday."""

_SLACK_HOURS = 2
_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """What to do and when, by the clock of the machine (a container's is mostly UTC).

    `create` and `prune` are the words after `chatdb backup create` and `... prune`; without the
    latter nothing is removed. `place` is where backups go, `program` the path of chatdb, `database`
    the URL, of which only non-secret parts are used.
    """

    every: Every
    at: time
    place: str
    create: tuple[str, ...]
    prune: tuple[str, ...]
    program: str
    database: DatabaseUrl

    @property
    def max_age(self) -> str:
        """The age at which the newest backup is late, for `chatdb backup check`."""
        return f"{_PERIOD[self.every] // _HOUR + _SLACK_HOURS}h"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFile:
    """A file of the schedule: `path` is where it goes, `text` its contents."""

    target: Target
    path: str
    text: str


def schedule_files(options: ScheduleOptions, targets: Sequence[Target]) -> list[ScheduleFile]:
    """Return the files for the targets; raises UsageError for words that do not fit on a line."""
    for word in (*options.create, *options.prune, options.place, options.program):
        if re.search(r"[\x00-\x1f\x7f]", word):
            raise UsageError("a schedule cannot contain control characters")
    makers = {"systemd": _systemd, "cron": _cron, "compose": _compose}
    return [file for target in targets for file in makers[target](options)]


def _commands(options: ScheduleOptions, place: str) -> list[list[str]]:
    """Return the commands to run in turn, each if the one before succeeds, without the program."""
    commands = [["backup", "create", "--output", place, *options.create]]
    if options.prune:
        commands.append(["backup", "prune", place, *options.prune, "--yes"])
    return commands


def _environment_lines(options: ScheduleOptions) -> list[str]:
    lines = [
        f"# {ENVIRONMENT_FILE}, for root and {USER} only (mode 640), each value in single quotes:",
        f"#   DATABASE_URL='{_address(options.database)}'",
        "#   CHATDB_NOTIFY_URL='https://hc-ping.com/UUID/{exit_code}'   (a dead-man's switch)",
    ]
    if is_remote(options.place):
        lines.append("#   and the credentials of the store, for example AWS_ACCESS_KEY_ID='...'")
    return lines


def _address(url: DatabaseUrl) -> str:
    if url.path is not None:
        url = replace(url, path=url.path.absolute())
    return url.redacted()


def _systemd(options: ScheduleOptions) -> list[ScheduleFile]:
    folder = "/etc/systemd/system/chatdb-backup"
    starts = [
        "ExecStart=" + " ".join(map(_systemd_word, [options.program, "--quiet", *words]))
        for words in _commands(options, _absolute(options.place))
    ]
    written = [] if is_remote(options.place) else [_absolute(options.place)]
    if options.database.path is not None:
        written.append(str(options.database.path.absolute().parent))
    paths = [f"ReadWritePaths={_systemd_word(path)}" for path in written if path != HOME]
    service = [
        *(f"# {folder}.service", *_environment_lines(options)),
        f"# useradd --system --home-dir {HOME} {USER}",
        *(f"# install -d -o {USER} -m 700 {shlex.quote(path)}" for path in written if path != HOME),
        "# systemctl daemon-reload && systemctl enable --now chatdb-backup.timer",
        *("[Unit]", "Description=Back up the chat database", "Wants=network-online.target"),
        *("After=network-online.target postgresql.service", "", "[Service]", "Type=oneshot"),
        *(f"User={USER}", "StateDirectory=chatdb", f"WorkingDirectory={HOME}"),
        *(f"EnvironmentFile={ENVIRONMENT_FILE}", *starts, "UMask=0077", "Nice=10"),
        *("NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectSystem=strict", "ProtectHome=read-only"),
        *paths,
    ]
    timer = [
        f"# {folder}.timer",
        *("[Unit]", "Description=When to back up the chat database", "", "[Timer]"),
        *(f"OnCalendar={_on_calendar(options)}", "Persistent=true", "", "[Install]"),
        "WantedBy=timers.target",
    ]
    return [
        ScheduleFile(target="systemd", path=f"{folder}.service", text=_text(service)),
        ScheduleFile(target="systemd", path=f"{folder}.timer", text=_text(timer)),
    ]


def _cron(options: ScheduleOptions) -> list[ScheduleFile]:
    path = "/etc/cron.d/chatdb-backup"
    work = " && ".join(
        shlex.join([options.program, "--quiet", *words])
        for words in _commands(options, _absolute(options.place))
    )
    shell = (
        f"cd {HOME} && umask 077 && set -a && . {ENVIRONMENT_FILE} && set +a"
        f" && (flock -n 9 && {work}) 9>backup.lock >/dev/null"
    )
    lines = [
        *(f"# {path}; errors are mailed", *_environment_lines(options)),
        f"# useradd --system --create-home --home-dir {HOME} {USER}",
        "SHELL=/bin/sh",
        # cron takes a bare % for the end of the line.
        f"{_crontab_time(options)} {USER} {shell.replace('%', chr(92) + '%')}",
    ]
    return [ScheduleFile(target="cron", path=path, text=_text(lines))]


def _compose(options: ScheduleOptions) -> list[ScheduleFile]:
    place = options.place if is_remote(options.place) else "/backups"
    commands = [["wait", "--timeout", "300"], *_commands(options, place)]
    work = " && ".join(shlex.join(["chatdb", "--quiet", *words]) for words in commands)
    check = ["chatdb", "--quiet", "backup", "check", place, "--max-age", options.max_age]
    period, offset = _PERIOD[options.every], _offset(options)
    script = [
        f"run() {{ {work} || echo 'backup: FAILED' >&2; }}",
        f"{shlex.join(check)} >/dev/null 2>&1 || run",
        f"while :; do sleep $(({period} - ($(date +%s) - {offset}) % {period})); run; done",
    ]
    mounts = [] if is_remote(options.place) else ["backups:/backups"]
    if options.database.path is not None:
        mounts.append(f"{options.database.path.absolute().parent}:/data")
    lines = [
        "# docker-compose.backup.yml; add it to the application's own file:",
        "#   docker compose -f docker-compose.yml -f docker-compose.backup.yml up -d backup",
        "# The image is built from Dockerfile.chatdb, which chatdb init --production writes.",
        *("services:", "  backup:", '    image: "${CHATDB_IMAGE:-chatdb:local}"'),
        *("    environment:", *(f"      {line}" for line in _compose_environment(options))),
        *('    entrypoint: ["/bin/sh", "-c"]', "    command:"),
        f"      - {_yaml('; '.join(script[:2]) + '; ' + script[2])}",
        *("    healthcheck:", f"      test: {_yaml(['CMD', *check])}"),
        *("      interval: 15m", "      timeout: 1m", "      retries: 2", "      start_period: 1h"),
        *("    init: true", "    restart: unless-stopped", "    volumes:"),
        *(f"      - {_yaml(mount)}" for mount in (*mounts, "staging:/var/tmp")),
        *("volumes:", "  staging:", *([] if is_remote(options.place) else ["  backups:"])),
    ]
    return [ScheduleFile(target="compose", path="docker-compose.backup.yml", text=_text(lines))]


def _compose_environment(options: ScheduleOptions) -> list[str]:
    url = options.database
    if url.path is not None:
        lines = [f"CHATDB_DATABASE_URL: {_yaml(f'sqlite:////data/{url.path.name}')}"]
    else:
        host = "postgres" if url.host in _LOOPBACK else url.host
        lines = [
            f"PGHOST: {_yaml(host)}",
            f"PGPORT: {_yaml(url.port or '5432')}",
            f"PGUSER: {_yaml(url.user or 'postgres')}",
            'PGPASSWORD: "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}"',
            f"PGDATABASE: {_yaml(url.database or 'postgres')}",
        ]
    lines.append('CHATDB_NOTIFY_URL: "${CHATDB_NOTIFY_URL:-}"')
    if options.place.startswith("s3"):
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
        lines += [f'{name}: "${{{name}:-}}"' for name in (*names, "AWS_ENDPOINT_URL")]
    return lines


def _on_calendar(options: ScheduleOptions) -> str:
    clock = f"{options.at:%H:%M}:00"
    if options.every == "hourly":
        return f"*-*-* *:{options.at:%M}:00"
    return f"Sun *-*-* {clock}" if options.every == "weekly" else f"*-*-* {clock}"


def _crontab_time(options: ScheduleOptions) -> str:
    hour = "*" if options.every == "hourly" else str(options.at.hour)
    return f"{options.at.minute} {hour} * * {'0' if options.every == 'weekly' else '*'}"


def _offset(options: ScheduleOptions) -> int:
    """Return the seconds from the start of an epoch period to the requested time."""
    within_hour = options.at.minute * 60
    if options.every == "hourly":
        return within_hour
    within_day = options.at.hour * _HOUR + within_hour
    return within_day + (_SUNDAY * _DAY if options.every == "weekly" else 0)


def _absolute(place: str) -> str:
    return place if is_remote(place) else str(Path(HOME) / Path(place).expanduser())


def _systemd_word(word: str) -> str:
    # systemd expands % and $ inside quotes too.
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[\w@%+=:,./$-]+", escaped) else f'"{escaped}"'


def _yaml(value: object) -> str:
    """Write a value on one line; Compose replaces `$NAME` unless the sign is doubled."""
    return json.dumps(value, ensure_ascii=False).replace("$", "$$")


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
