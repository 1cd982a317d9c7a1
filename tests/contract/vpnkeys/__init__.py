"""The vpnkeys wire: its golden transcripts, its limits, its OpenAPI document."""
