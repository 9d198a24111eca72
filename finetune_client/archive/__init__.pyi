from finetune_client.archive.report import (
    ArchiveProgress as ArchiveProgress,
    ArchiveReport as ArchiveReport,
    Missing as Missing,
)
from finetune_client.archive.saving import save as save
