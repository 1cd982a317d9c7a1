"""The forms a subscription can be read in; rendered by the modules beside this one."""

from enum import StrEnum


class Format(StrEnum):
    """A form a subscription can be read in; the value is its name in a path."""

    BASE64 = "base64"
    LINKS = "links"
    XRAY = "xray"
    SING_BOX = "sing-box"
    MIHOMO = "mihomo"
    PAGE = "page"
