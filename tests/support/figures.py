"""Live figures that a test sets: what the keys of labels have carried over their lives."""

from collections.abc import Mapping

from keystead.vpn.accounting import Bytes


class FakeFigures:
    """Say that labels have carried what a test says."""

    def __init__(self) -> None:
        self.carried: dict[str, Bytes] = {}

    async def refresh(self) -> None:
        return

    def moving(self) -> Mapping[str, Bytes]:
        """Return every label a test gave a figure."""
        return self.carried

    def live(self, label: str) -> Bytes | None:
        """Return a label's figure."""
        return self.carried.get(label)
