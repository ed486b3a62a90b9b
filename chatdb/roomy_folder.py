"""Where large files may lie for a while."""

import os
import tempfile
from pathlib import Path


def roomy_folder() -> Path:
    """Return what TMPDIR names, /var/tmp in place of /tmp, which is often a part of the memory."""
    chosen, roomy = Path(tempfile.gettempdir()), Path("/var/tmp")  # noqa: S108
    if chosen == Path("/tmp") and os.access(roomy, os.W_OK):  # noqa: S108
        return roomy
    return chosen
