from rest_framework.routers import SimpleRouter

from contacts.views import ContactViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("contacts", ContactViewSet, basename="contact")

urlpatterns = router.urls
