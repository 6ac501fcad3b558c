from rest_framework.routers import SimpleRouter

from leads.views import LeadViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("leads", LeadViewSet, basename="lead")

urlpatterns = router.urls
