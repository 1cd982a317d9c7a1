"""The veil wire: its golden transcripts, its OpenAPI document, its pages."""
