from finetune_client.training_data.checking.check import check as check
from finetune_client.training_data.codes.table import CODES as CODES, Code as Code
from finetune_client.training_data.epochs import cost as cost, default_epochs as default_epochs
from finetune_client.training_data.making.converting import (
    convert as convert,
    from_alpaca as from_alpaca,
    from_prompt_completion as from_prompt_completion,
    from_sharegpt as from_sharegpt,
)
from finetune_client.training_data.making.deduping import dedupe as dedupe
from finetune_client.training_data.making.fixing import Change as Change, Fixed as Fixed, fix as fix
from finetune_client.training_data.making.reading import read_rows as read_rows
from finetune_client.training_data.making.splitting import Split as Split, split as split
from finetune_client.training_data.making.writing import write_jsonl as write_jsonl
from finetune_client.training_data.problems import Problem as Problem
from finetune_client.training_data.report import Report as Report, Statistics as Statistics
from finetune_client.training_data.tokens import (
    Counter as Counter,
    count_messages as count_messages,
    resolve_counter as resolve_counter,
)
