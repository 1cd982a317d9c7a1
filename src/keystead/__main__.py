"""``python -m keystead`` is the ``keystead`` command."""

from keystead.cli.app import main

main()
