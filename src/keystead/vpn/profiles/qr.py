"""QR codes of links and subscription addresses, as SVG and PNG.

Error correction is M: enough for a scratched screen photographed at an angle, and still coarse enough for a long link
to be read from a small phone. The quiet zone of four modules is part of the standard (ISO/IEC 18004).
"""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import segno

_DARK = "#111827"
_LIGHT = "#ffffff"
_BORDER = 4


def svg(text: str) -> str:
    """Return a standalone SVG file without a size of its own."""
    buffer = io.BytesIO()
    _code(text).save(buffer, kind="svg", border=_BORDER, dark=_DARK, light=_LIGHT, omitsize=True)
    return buffer.getvalue().decode()


def svg_element(text: str) -> str:
    """Return an ``<svg>`` element to stand inside a page; it has no styles, so that a strict policy lets it through."""
    return str(_code(text).svg_inline(border=_BORDER, dark=_DARK, light=_LIGHT, omitsize=True))


def png(text: str, *, scale: int = 8) -> bytes:
    """Return a PNG file with ``scale`` pixels to a module."""
    buffer = io.BytesIO()
    _code(text).save(buffer, kind="png", border=_BORDER, dark=_DARK, light=_LIGHT, scale=scale)
    return buffer.getvalue()


def _code(text: str) -> "segno.QRCode":
    import segno  # what nobody has looked at yet takes no memory

    return segno.make(text, error="m", micro=False)
