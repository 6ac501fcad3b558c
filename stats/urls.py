from django.urls import path

from stats.metrics_view import MetricsView
from stats.views import OverviewView, SourceStatsView

urlpatterns = [
    path("stats", OverviewView.as_view()),
    path("metrics", MetricsView.as_view()),
    path("stats/sources/<int:pk>", SourceStatsView.as_view()),
]
