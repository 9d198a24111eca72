"""Train a model, follow the job, and ask the model that came of it.

    python train_and_ask.py

Run it again, also after Ctrl-C or a crash: the job is found by its key, and not created a second time.
"""

from __future__ import annotations

from pathlib import Path

from finetune_client import Client

HERE = Path(__file__).parent


def main() -> None:
    """Train and ask."""
    # The embedded server, in this process; it keeps its files and jobs in the folder "tunes".
    # Client() is that of OPENAI_API_KEY and OPENAI_BASE_URL.
    with Client.local("tunes") as client:
        job = client.jobs.create(
            model="tiny",
            training_file=HERE / "python_topics_train.jsonl",  # checked, then uploaded
            validation_file=HERE / "python_topics_valid.jsonl",
            suffix="topics",
            idempotency_key="topics-1",
        )
        print(f"{job.id} is {job.status}")
        for event in client.jobs.follow(job.id):
            print(event.message)
        job = client.jobs.wait(job.id)  # has ended; raises JobFailedError if it did not succeed
        completion = client.chat.completions.create(
            model=job.fine_tuned_model,
            messages=[{"role": "user", "content": "What is a list comprehension?"}],
            max_tokens=100,
        )
        print(f"{job.fine_tuned_model} says: {completion.choices[0].message.content}")


if __name__ == "__main__":
    main()
