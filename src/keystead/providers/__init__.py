"""Outside companies' APIs, one module each: what each can do is declared at its top."""
