"""A Django app that is told when a job has ended.

Copy this folder beside manage.py, then:

    settings.py    INSTALLED_APPS = [..., "django_webhooks"]
    urls.py        path("webhooks/finetune", django_webhooks.views.receive)

    export OPENAI_WEBHOOK_SECRET=whsec_...     # the server signs with the same
    python manage.py migrate
    python manage.py handle_job_events         # does the work; one process

Whoever sends a webhook wants its answer within seconds, and sends it again otherwise. So the view verifies,
writes the event into a table and answers; what takes longer is done by the command, in its own time.
"""
