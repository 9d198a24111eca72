"""AWS Bedrock's OpenAI-compatible endpoints ("mantle").

Their documentation is about reinforcement on open weights, with graders that are Lambda functions:
``{"type": "lambda", "lambda": {"function": ARN}}``.

https://docs.aws.amazon.com/bedrock/latest/userguide/rft-open-weight-access-security.html
"""

from __future__ import annotations

from finetune_client.providers.provider import Provider
from finetune_client.providers.request_limits import UNKNOWN_LIMITS
from finetune_client.providers.training_rules import TrainingRules

__all__ = ["BEDROCK"]

BEDROCK = Provider(
    name="bedrock",
    hosts=("bedrock-mantle.*.api.aws",),
    lacks={"suffix": "it is not in the documentation of its jobs"},
    environment=("AWS_BEARER_TOKEN_BEDROCK",),
    limits=UNKNOWN_LIMITS,
    training_rules=TrainingRules(examples=100),
    methods=("reinforcement",),
    grader_types=("lambda",),
)
