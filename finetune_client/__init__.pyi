from finetune_client import (
    errors as errors,
    models as models,
    training_data as training_data,
    webhooks as webhooks,
)
from finetune_client._version import __version__ as __version__
from finetune_client.client import Client as Client
from finetune_client.errors import *  # noqa: F403
from finetune_client.models import *  # noqa: F403
