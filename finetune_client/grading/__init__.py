"""The API's graders over plain dicts: checking them, and running those that need only the texts."""
