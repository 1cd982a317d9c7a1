"""The log never takes the program down."""

import errno
import io

from keystead.kit.log import LossyStream


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else() -> None:
    stream = LossyStream(FullDisk())

    written = stream.write("a line")
    stream.flush()

    assert written == 0
