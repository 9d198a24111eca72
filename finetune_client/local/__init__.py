"""The fine-tuning API on this machine: Flask, numpy, and a tiny model that is really trained."""

from finetune_client.grading import PythonLimits
from finetune_client.local import needed  # noqa: F401  # first: it says which extra is missing
from finetune_client.local.faults import Fault, parse_faults
from finetune_client.local.http.port import running, serve
from finetune_client.local.job_log import read_job_log
from finetune_client.local.merge import merge_adapter
from finetune_client.local.server import LocalServer
from finetune_client.local.state import ServerLimits
from finetune_client.local.training.trainer import (
    GenerateRequest,
    GenerationError,
    Notice,
    Piece,
    Step,
    Trainer,
    Training,
    TrainingError,
    TrainingTask,
)

__all__ = [
    "Fault",
    "GenerateRequest",
    "GenerationError",
    "LocalServer",
    "Notice",
    "Piece",
    "PythonLimits",
    "ServerLimits",
    "Step",
    "Trainer",
    "Training",
    "TrainingError",
    "TrainingTask",
    "merge_adapter",
    "parse_faults",
    "read_job_log",
    "running",
    "serve",
]
