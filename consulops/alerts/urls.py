"""Addresses of the alerts and routes pages."""

from __future__ import annotations

from django.urls import path

from consulops.alerts.views import (
    actions,
    alerts,
    deliveries,
    heatmap,
    history,
    noise,
    rehearsal,
    routes,
)

app_name = "alerts"
urlpatterns = [
    path("alerts/", alerts.alerts, name="list"),
    path("alerts/acknowledge/", actions.acknowledge_many, name="acknowledge_many"),
    path("alerts/<int:pk>/", alerts.alert, name="detail"),
    path("alerts/<int:pk>/acknowledge/", actions.acknowledge, name="acknowledge"),
    path("alerts/<int:pk>/unacknowledge/", actions.unacknowledge, name="unacknowledge"),
    path("routes/", routes.routes, name="routes"),
    path("routes/new/", routes.new, name="route_new"),
    path("routes/preview/", routes.try_out, name="route_preview"),
    path("routes/would-tell/", rehearsal.would_tell, name="would_tell"),
    path("routes/noise/", noise.noise, name="noise"),
    path("routes/<int:pk>/", routes.edit, name="route_edit"),
    path("routes/<int:pk>/move/", routes.move, name="route_move"),
    path("routes/<int:pk>/delete/", routes.delete, name="route_delete"),
    path("alerts/unacknowledge/", actions.unacknowledge_many, name="unacknowledge_many"),
    path("alerts/silence/", actions.silence_many, name="silence_many"),
    path("alerts/comment/", actions.comment_many, name="comment_many"),
    path("alerts/<int:pk>/comment/", actions.comment, name="comment"),
    path("history/", history.history, name="history"),
    path("heatmap/", heatmap.heatmap, name="heatmap"),
    path("deliveries/", deliveries.deliveries, name="deliveries"),
    path("deliveries/retry/", deliveries.retry_failed, name="deliveries_retry"),
    path("deliveries/<int:pk>/", deliveries.delivery, name="delivery"),
    path("deliveries/<int:pk>/retry/", deliveries.retry, name="delivery_retry"),
    path("deliveries/<int:pk>/give-up/", deliveries.give_up, name="delivery_give_up"),
]
