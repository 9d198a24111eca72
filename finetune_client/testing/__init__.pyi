from finetune_client.testing.api import (
    FakeAPI as FakeAPI,
    RecordedRequest as RecordedRequest,
    fake_api as fake_api,
)
from finetune_client.testing.clock import VirtualClock as VirtualClock
