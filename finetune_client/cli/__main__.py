"""``python -m finetune_client.cli`` is the command ``finetune``."""

from finetune_client.cli.main import main

main()
