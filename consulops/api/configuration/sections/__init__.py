"""The sections of the file, in the order in which they are applied and exported."""

from __future__ import annotations

from consulops.api.configuration.document import Form
from consulops.api.configuration.section import Section
from consulops.api.configuration.sections.clusters import Clusters
from consulops.api.configuration.sections.event_handlers import EventHandlers
from consulops.api.configuration.sections.noise import NoiseSection
from consulops.api.configuration.sections.notifiers import Notifiers
from consulops.api.configuration.sections.routes import Routes
from consulops.api.configuration.sections.service_rules import ServiceRules
from consulops.api.configuration.sections.silences import Silences
from consulops.api.configuration.sections.watchdog import WatchdogSection

ALL: tuple[Section, ...] = (
    Clusters(),
    Notifiers(),
    Routes(),
    NoiseSection(),
    Silences(),
    EventHandlers(),
    ServiceRules(),
    WatchdogSection(),
)
FORMS = {section.name: Form(section.form, section.is_single) for section in ALL}
