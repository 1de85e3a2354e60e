"""The System page: is the product itself well?"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from consulops.loops import system as read


def system(request: HttpRequest) -> HttpResponse:
    """Processes, supervisors, loops, queues, failed tasks, and the age of what we know."""
    return render(
        request,
        "loops/system.html",
        {
            "processes": read.processes(),
            "supervisors": read.supervisors(),
            "loops": read.loops(),
            "queues": read.queues(),
            "failures": read.failures(),
            "clusters": read.clusters(),
            "facts": read.facts(),
        },
    )
