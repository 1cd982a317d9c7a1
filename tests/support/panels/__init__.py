"""Files of other panels, made from their schemas in the test that reads them; docs/import/ names the sources."""
