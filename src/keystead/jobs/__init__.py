"""Work that outlives a request: rows, claimed by lease, that go on after a kill where they were."""
