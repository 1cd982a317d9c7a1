"""XML of a provider, read by a parser that follows no entities; for providers whose API speaks it."""

from typing import TYPE_CHECKING

from keystead.providers.errors import ProviderFailed, ProviderUnreadable
from keystead.providers.transport import Answer

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def root_of(answer: Answer, title: str, name: str, *, way: str = "", has_effect: bool = False) -> "Element":
    """Return the root of an answer, whose name is compared without its namespace and without regard to case.

    ``way`` names what stands between the provider and us; what became of a change, an answer that is none does not
    say. Raises ProviderFailed for another status than 2xx and
    ProviderUnreadable for what is no such XML.
    """
    # Imported where it is used: few instances ever read XML.
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if not 200 <= answer.status < 300:
        problem = f"{title}{way} answered HTTP {answer.status}"
        raise ProviderFailed(problem, status=answer.status, may_have_landed=has_effect)
    try:
        root: Element = fromstring(answer.body)
    except (ParseError, DefusedXmlException, ValueError) as error:
        problem = f"{title} answered no XML that can be read: {type(error).__name__}"
        raise ProviderUnreadable(problem, may_have_landed=has_effect) from None
    if local_name(root).lower() != name.lower():
        raise ProviderUnreadable(f"{title} answered XML that is no {name}", may_have_landed=has_effect)
    return root


def local_name(element: "Element") -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]
