"""What is left of the machine's memory and of the disk that the data directory is on; cheap, for health checks."""

import shutil
from dataclasses import dataclass
from pathlib import Path

_MB = 2**20
_GB = 2**30
# Less than this soon stops all changes.
FREE_DISK_MIN_BYTES = 200 * _MB
_FREE_MEMORY_MIN_SHARE = 0.03


@dataclass(frozen=True)
class Resources:
    """How much there is and how much of it is free, in bytes; memory that would be freed on demand counts as free."""

    memory_bytes: int
    free_memory_bytes: int
    disk_bytes: int
    free_disk_bytes: int

    @property
    def memory_used_percent(self) -> float:
        """Return the used part of the memory."""
        return _used_percent(self.memory_bytes, self.free_memory_bytes)

    @property
    def free_memory_mb(self) -> int:
        """Return the free memory in whole megabytes."""
        return self.free_memory_bytes // _MB

    @property
    def disk_used_percent(self) -> float:
        """Return the used part of the disk."""
        return _used_percent(self.disk_bytes, self.free_disk_bytes)

    @property
    def free_disk_gb(self) -> float:
        """Return the free room on the disk in gigabytes."""
        return round(self.free_disk_bytes / _GB, 2)

    @property
    def reasons(self) -> list[str]:
        """Return what runs out; nothing when there is enough."""
        found = []
        if self.free_memory_bytes < self.memory_bytes * _FREE_MEMORY_MIN_SHARE:
            found.append("memory runs out")
        if self.free_disk_bytes < FREE_DISK_MIN_BYTES:
            found.append("disk runs out")
        return found


def look(data_dir: Path) -> Resources:
    """Return what is left now."""
    import psutil

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(data_dir)
    return Resources(memory.total, memory.available, disk.total, disk.free)


def _used_percent(total: int, free: int) -> float:
    return round(100 * (total - free) / total, 1) if total else 0.0
