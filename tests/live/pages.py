"""Pages for the browser: one that changes whenever it is rendered."""

from __future__ import annotations

from itertools import count

from django.http import HttpRequest, HttpResponse
from django.template import engines

from consulops.live.etag import fresh_by

_renders = count(1)

_SOURCE = """{% extends "base.html" %}
{% block title %}Ticking{% endblock %}
{% block heading %}Ticking{% endblock %}
{% block actions %}<button class="btn" type="button" data-open="ask">Ask…</button>{% endblock %}
{% block content %}
<div {% live "checks" id="box" %}>
  <table class="table"><tbody>
    <tr id="same"><td>always the same</td></tr>
    <tr id="row">
      <td id="renders">{{ renders }}</td><td><input id="typing" aria-label="Comment"></td>
    </tr>
  </tbody></table>
</div>
<dialog id="ask"><form method="dialog"><button class="btn">Close</button></form></dialog>
{% endblock %}"""


@fresh_by("checks")
def ticking(request: HttpRequest) -> HttpResponse:
    """Tells how often it was rendered."""
    template = engines["django"].from_string(_SOURCE)
    return HttpResponse(template.render({"renders": next(_renders)}, request))
