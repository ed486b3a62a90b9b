"""Directory for large temporary files."""

import os
import tempfile
from pathlib import Path


def roomy_folder() -> Path:
    """Return TMPDIR, or /var/tmp instead of /tmp, which often is in memory."""
    chosen, roomy = Path(tempfile.gettempdir()), Path("/var/tmp")  # noqa: S108
    if chosen == Path("/tmp") and os.access(roomy, os.W_OK):  # noqa: S108
        return roomy
    return chosen
