from django.urls import path

from stats.views import OverviewView, SourceStatsView

urlpatterns = [
    path("stats", OverviewView.as_view()),
    path("stats/sources/<int:pk>", SourceStatsView.as_view()),
]
