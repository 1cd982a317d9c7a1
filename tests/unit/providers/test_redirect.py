"""What a redirect may say, and that Cloudflare's words for it are read back as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.kit.errors import Invalid
from keystead.providers import cloudflare_rules as rules
from keystead.providers.redirect import BulkRedirect, Redirect, canonical_source, checked, checked_bulk

labels = st.from_regex(r"[a-z]([a-z0-9]{0,6})", fullmatch=True)
hosts = st.builds(lambda wild, *parts: f"{wild}{'.'.join(parts)}", st.sampled_from(["", "*."]), labels, labels)
texts = st.from_regex(r"[A-Za-z0-9._~%()'=&$+,;:@-]{0,12}", fullmatch=True)
paths = st.builds(lambda text, end: f"/{text}{end}", texts, st.sampled_from(["", "/*"]))
redirects = st.builds(
    Redirect,
    host=hosts,
    target=st.builds(lambda path: f"https://elsewhere.example{path}", st.builds(lambda text: f"/{text}", texts)),
    path=paths,
    status=st.sampled_from([301, 302, 303, 307, 308]),
    keeps_path=st.booleans(),
    keeps_query=st.booleans(),
)


@given(redirects)
def test_a_rule_says_what_is_read_back(redirect: Redirect) -> None:
    wanted = checked(redirect)

    [seen] = rules.ruleset({"id": "r", "rules": [{"id": "1", **rules.rule(wanted, None)}]}).rules

    assert seen.redirect == wanted
    assert seen.is_ours
    assert checked(wanted) == wanted


@given(st.lists(redirects, max_size=6))
def test_a_new_rule_goes_before_all_that_are_wider(many: list[Redirect]) -> None:
    made: list[Redirect] = []
    for redirect in {one.source: one for one in map(checked, many)}.values():
        ours = [rules.SeenRule(one.source, "keystead-x", one, None, is_enabled=True, expression="") for one in made]
        before = rules.position(redirect, ours).get("position", {}).get("before")
        made.insert(next((at for at, one in enumerate(made) if one.source == before), len(made)), redirect)

    assert made == sorted(made, key=lambda one: one.order)


@pytest.mark.parametrize(
    ("field", "redirect"),
    [
        ("host", Redirect("exa mple.com", "https://example.net")),
        ("host", Redirect("*", "https://example.net")),
        ("host", Redirect("www.*.com", "https://example.net")),
        ("path", Redirect("example.com", "https://example.net", "old")),
        ("path", Redirect("example.com", "https://example.net", '/o"ld')),
        ("path", Redirect("example.com", "https://example.net", "/a*b")),
        ("path", Redirect("example.com", "https://example.net", "/a?b=c")),
        ("target", Redirect("example.com", "ftp://example.net")),
        ("target", Redirect("example.com", "//example.net")),
        ("target", Redirect("example.com", "https://")),
        ("target", Redirect("example.com", "https://user:secret@example.net")),
        ("target", Redirect("example.com", 'https://example.net/"')),
        ("target", Redirect("example.com", "https://example.net/a b")),
        ("target", Redirect("example.com", "https://example.net:port/")),
        ("target", Redirect("example.com", "https://example.net/?a=b", keeps_path=True)),
        ("target", Redirect("example.com", "https://example.com/")),
        ("target", Redirect("*.example.com", "https://www.example.com/new")),
        ("target", Redirect("example.com", "http://example.com/docs/new", "/docs/*")),
        ("status", Redirect("example.com", "https://example.net", status=300)),
    ],
)
def test_what_cannot_be_a_redirect_is_refused_by_its_field(field: str, redirect: Redirect) -> None:
    with pytest.raises(Invalid) as refusal:
        checked(redirect)

    assert list(refusal.value.fields) == [field]


def test_names_are_written_in_ascii_and_small() -> None:
    assert checked(Redirect("Bücher.example", "HTTPS://Пример.example/Path")) == Redirect(
        "xn--bcher-kva.example", "https://xn--e1afmkfd.example/Path"
    )


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Example.com", "example.com/"),
        ("https://example.com/a/B", "https://example.com/a/B"),
        ("example.com/a/", "example.com/a/"),
    ],
)
def test_a_source_of_a_list_is_canonical(text: str, source: str) -> None:
    assert canonical_source(text) == source
    assert canonical_source(source) == source


@pytest.mark.parametrize(
    ("field", "redirect"),
    [
        ("source", BulkRedirect("ftp://example.com/", "https://example.net")),
        ("source", BulkRedirect("example.com/a b", "https://example.net")),
        ("source", BulkRedirect("example.com/?a", "https://example.net")),
        ("source", BulkRedirect("/old", "https://example.net")),
        ("target", BulkRedirect("example.com/a", "https://example.com/a")),
        ("status", BulkRedirect("example.com/a", "https://example.net", status=303)),
    ],
)
def test_what_cannot_be_in_a_list_is_refused_by_its_field(field: str, redirect: BulkRedirect) -> None:
    with pytest.raises(Invalid) as refusal:
        checked_bulk(redirect)

    assert list(refusal.value.fields) == [field]
