from finetune_client.evaluation.answers import Answer as Answer, AnswerFile as AnswerFile
from finetune_client.evaluation.asking import ask as ask
from finetune_client.evaluation.evaluating import (
    DEFAULT_GRADER as DEFAULT_GRADER,
    evaluate as evaluate,
)
from finetune_client.evaluation.questions import (
    Question as Question,
    read_questions as read_questions,
)
from finetune_client.evaluation.report import (
    Evaluation as Evaluation,
    ModelComparison as ModelComparison,
    ModelResult as ModelResult,
)
