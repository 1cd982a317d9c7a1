"""Read the bodies that client programs import back into the profile each was made of."""

from typing import Any

from keystead.vpn.values import ClientProfile


def from_mihomo(proxy: dict[str, Any]) -> ClientProfile:
    assert (proxy["type"], proxy["network"], proxy["tls"], proxy["udp"]) == ("vless", "tcp", True, True)
    return ClientProfile(
        host=proxy["server"],
        port=proxy["port"],
        uuid=proxy["uuid"],
        flow=proxy.get("flow", ""),
        public_key=proxy["reality-opts"]["public-key"],
        short_id=proxy["reality-opts"]["short-id"],
        server_name=proxy["servername"],
        fingerprint=proxy["client-fingerprint"],
        name=proxy["name"],
    )


def from_xray(file: dict[str, Any]) -> ClientProfile:
    outbound = file["outbounds"][0]
    (server,) = outbound["settings"]["vnext"]
    (user,) = server["users"]
    reality = outbound["streamSettings"]["realitySettings"]
    return ClientProfile(
        host=server["address"],
        port=server["port"],
        uuid=user["id"],
        flow=user["flow"],
        public_key=reality["publicKey"],
        short_id=reality["shortId"],
        server_name=reality["serverName"],
        fingerprint=reality["fingerprint"],
        name=file["remarks"],
    )


def from_sing_box(outbound: dict[str, Any]) -> ClientProfile:
    tls = outbound["tls"]
    return ClientProfile(
        host=outbound["server"],
        port=outbound["server_port"],
        uuid=outbound["uuid"],
        flow=outbound.get("flow", ""),
        public_key=tls["reality"]["public_key"],
        short_id=tls["reality"]["short_id"],
        server_name=tls["server_name"],
        fingerprint=tls["utls"]["fingerprint"],
        name=outbound["tag"],
    )
