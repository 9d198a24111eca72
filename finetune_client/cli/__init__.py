"""The command ``finetune`` (extra ``cli``)."""
