"""VPN keys: issuing, revoking and metering them; inbounds; links and subscriptions. It knows no wire and no gRPC."""
