from finetune_client.archive.asking import (
    AskEstimate as AskEstimate,
    KeptAnswers as KeptAnswers,
    TrainingFile as TrainingFile,
    estimate as estimate,
    keep_answers as keep_answers,
    tuned_models as tuned_models,
    write_training_file as write_training_file,
)
from finetune_client.archive.report import (
    ArchiveProgress as ArchiveProgress,
    ArchiveReport as ArchiveReport,
    Missing as Missing,
)
from finetune_client.archive.saving import save as save
