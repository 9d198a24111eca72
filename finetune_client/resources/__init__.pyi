from finetune_client.metrics import Metrics as Metrics
from finetune_client.resources.chat import Chat as Chat, ChatCompletions as ChatCompletions
from finetune_client.resources.checkpoints import (
    Checkpoints as Checkpoints,
    JobCheckpoints as JobCheckpoints,
    Permissions as Permissions,
)
from finetune_client.resources.files.content import FileBytes as FileBytes
from finetune_client.resources.files.files import Files as Files
from finetune_client.resources.files.uploads import Uploads as Uploads
from finetune_client.resources.fine_tuning import Alpha as Alpha, FineTuning as FineTuning
from finetune_client.resources.graders import Graders as Graders
from finetune_client.resources.jobs.creating import (
    CreateStep as CreateStep,
    FileArgument as FileArgument,
    OnStep as OnStep,
)
from finetune_client.resources.jobs.jobs import Jobs as Jobs
from finetune_client.resources.jobs.sweeping import (
    Grid as Grid,
    OnRun as OnRun,
    OnSweepEvent as OnSweepEvent,
    Sweep as Sweep,
    SweepRun as SweepRun,
)
from finetune_client.resources.models import Models as Models
from finetune_client.resources.options import (
    PollOptions as PollOptions,
    RequestOptions as RequestOptions,
)
from finetune_client.resources.pager import Pager as Pager
from finetune_client.resources.raw_responses import (
    RawCalls as RawCalls,
    RawResponse as RawResponse,
    StreamingCalls as StreamingCalls,
    StreamingResponse as StreamingResponse,
)
from finetune_client.resources.webhooks import Webhooks as Webhooks
from finetune_client.resources.weights import WeightsSource as WeightsSource
from finetune_client.training_data import Report as Report
from finetune_client.waiting import OnPaused as OnPaused, OnStalled as OnStalled
