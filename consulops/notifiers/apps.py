"""Registers the app, and finds the kinds of notifiers; makes the folder of programs."""

from __future__ import annotations

from django.apps import AppConfig


class NotifiersConfig(AppConfig):
    name = "consulops.notifiers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Imported here: the registry needs the models, which are ready only now.
        from consulops.notifiers import executables, registry

        registry.kinds()
        executables.make_folder()
