# ruff: noqa: F403  # each module's `__all__` is what it gives to the package

from finetune_client.models.auto import *
from finetune_client.models.chat import *
from finetune_client.models.checkpoints import *
from finetune_client.models.events import *
from finetune_client.models.examples.lines import *
from finetune_client.models.examples.messages import *
from finetune_client.models.examples.tools import *
from finetune_client.models.files import *
from finetune_client.models.graders.eval_items import *
from finetune_client.models.graders.model_based import *
from finetune_client.models.graders.registry import *
from finetune_client.models.graders.runs import *
from finetune_client.models.graders.simple import *
from finetune_client.models.hyperparameters import *
from finetune_client.models.integrations import *
from finetune_client.models.job_request import *
from finetune_client.models.jobs import *
from finetune_client.models.listing import *
from finetune_client.models.methods import *
from finetune_client.models.model import *
from finetune_client.models.page import *
from finetune_client.models.unknown_keys import *
from finetune_client.providers.request_limits import Bounds as Bounds, Limits as Limits
