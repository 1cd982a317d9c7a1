"""What the keeper says about itself: one JSON object a line, on standard error, which its start binds to a file."""

import json
import sys
from datetime import UTC, datetime


def note(event: str, **facts: object) -> None:
    """Write down an event; free of secrets, addresses and destinations. A full disk loses the line, nothing else."""
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts})
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        return
