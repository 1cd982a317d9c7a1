"""Memory that was needed for a moment goes back to the system."""

import platform

import psutil
import pytest

from keystead.kit import memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_what_is_free_goes_back() -> None:
    # Below the size from which the C library asks the system for each piece, and freed in between.
    held = [bytearray(60_000) for _ in range(1_000)]
    kept = held[::50]
    before = psutil.Process().memory_info().rss
    del held

    memory.give_back()

    assert len(kept) == 20
    assert psutil.Process().memory_info().rss < before - 30_000_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_large_blocks_are_given_back_at_once_from_now_on() -> None:
    assert memory.keep_little()
