from rest_framework.routers import SimpleRouter

from operators.views import OperatorViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("operators", OperatorViewSet, basename="operator")

urlpatterns = router.urls
