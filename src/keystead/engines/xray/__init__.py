"""Xray-core: VLESS with REALITY, driven over gRPC on a Unix socket; configuration on standard input."""
