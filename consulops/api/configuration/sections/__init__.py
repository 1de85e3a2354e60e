"""The sections of the file, in the order in which they are applied and exported."""

from __future__ import annotations

from consulops.api.configuration.document import Form
from consulops.api.configuration.section import Section
from consulops.api.configuration.sections.clusters import Clusters
from consulops.api.configuration.sections.noise import NoiseSection
from consulops.api.configuration.sections.notifiers import Notifiers
from consulops.api.configuration.sections.routes import Routes

ALL: tuple[Section, ...] = (Clusters(), Notifiers(), Routes(), NoiseSection())
FORMS = {section.name: Form(section.form, section.is_single) for section in ALL}
