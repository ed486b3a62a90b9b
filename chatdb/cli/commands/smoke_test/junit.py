"""The results of checks as a JUnit file, for CI reports.

There is no single standard: the file keeps to what the schemas of Ant and Jenkins have in common,
with every element and attribute that either requires.
"""

import platform
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from chatdb.cli.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatdb.operations.smoke_test.check import CheckResult

_NOT_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot represent, and the controls that it merely discourages."""


def junit_xml(
    suite: str, results: "Sequence[CheckResult]", *, started_at: datetime, seconds: float
) -> bytes:
    """Return the file: a test suite with a test case for each check, and its reason.

    A check that was skipped or not run is a skipped test case. The reasons of those that passed
    are in the suite's output.
    """
    outcomes = [result.outcome.value for result in results]
    root = ET.Element("testsuites")
    element = ET.SubElement(
        root,
        "testsuite",
        {
            "name": suite,
            "package": "chatdb",
            "id": "0",
            "timestamp": f"{started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
            "hostname": _text(platform.node()) or "localhost",
            "tests": str(len(results)),
            "failures": str(outcomes.count("failed")),
            "errors": "0",
            "skipped": str(outcomes.count("skipped") + outcomes.count("not_run")),
            "time": f"{seconds:.3f}",
        },
    )
    ET.SubElement(element, "properties")
    for result in results:
        _add_case(element, suite, result)
    passed = [each for each in results if each.outcome == "passed"]
    output = ET.SubElement(element, "system-out")
    output.text = "\n".join(f"{each.name}: {_text(each.reason)}" for each in passed)
    ET.SubElement(element, "system-err").text = ""
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _add_case(element: ET.Element, suite: str, result: "CheckResult") -> None:
    case = ET.SubElement(
        element,
        "testcase",
        {"name": result.name, "classname": f"chatdb.{suite}", "time": f"{result.seconds:.3f}"},
    )
    reason = _text(result.reason)
    if result.outcome == "failed":
        failure = ET.SubElement(case, "failure", {"type": "failed", "message": reason})
        failure.text = reason
    elif result.outcome != "passed":
        ET.SubElement(case, "skipped", {"message": reason})


def _text(text: str) -> str:
    return _NOT_XML.sub("", one_line(text))
