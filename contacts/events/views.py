from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from access.permissions import ManageChanges, ManagePermission
from contacts.events import examples
from contacts.events.filters import DeliveryFilter
from contacts.events.models import Delivery, Subscription
from contacts.events.selectors import with_counts
from contacts.events.serializers import (
    CreatedWebhookSerializer,
    DeliverySerializer,
    NewWebhookSerializer,
    SecretSerializer,
    WebhookSerializer,
)
from contacts.events.services import (
    change_webhook,
    create_webhook,
    delete_webhook,
    resend,
    rotate_secret,
    send_test,
)
from crm_project.api.access import actor_of
from crm_project.api.pagination import CursorPages


class WebhookViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """Programs that are told of events."""

    lookup_value_converter = "int"
    http_method_names = ["get", "head", "post", "patch", "delete"]
    permission_classes = [ManagePermission]
    serializer_class = WebhookSerializer
    filterset_class: type[DeliveryFilter] | None = None

    def get_queryset(self) -> QuerySet[Any]:
        if self.action == "deliveries":
            return Delivery.objects.filter(subscription=self.kwargs.get("pk"))
        return with_counts(Subscription.objects.filter(kind=Subscription.Kind.WEBHOOK))

    @extend_schema(
        summary="Tell a program of events",
        request=NewWebhookSerializer,
        responses={201: CreatedWebhookSerializer},
    )
    def create(self, request: Request) -> Response:
        """Post what happens from now on to an address. The answer alone has the whole secret."""
        given = self._validated(NewWebhookSerializer)
        secret = given.pop("secret", "")
        webhook = Subscription(**given)
        secret = create_webhook(webhook, secret=secret, actor=actor_of(request))
        found = self.get_queryset().get(pk=webhook.pk)
        body = CreatedWebhookSerializer(found, context={"secret": secret}).data
        return Response(body, status=status.HTTP_201_CREATED)

    def perform_update(self, serializer: BaseSerializer) -> None:
        change_webhook(serializer.instance, serializer.validated_data, actor=actor_of(self.request))
        serializer.instance = self.get_queryset().get(pk=serializer.instance.pk)

    def perform_destroy(self, instance: Subscription) -> None:
        delete_webhook(instance, actor=actor_of(self.request))

    @extend_schema(
        summary="Sign with another secret",
        request=SecretSerializer,
        responses=SecretSerializer,
        examples=[examples.SECRET],
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: int) -> Response:
        """Sign with another secret from now on. The answer alone has it as a whole."""
        webhook = self._webhook(pk)
        given = self._validated(SecretSerializer)
        return Response({"secret": rotate_secret(webhook, **given, actor=actor_of(request))})

    @extend_schema(summary="Send a test", request=None, responses={201: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: int) -> Response:
        """Send the event `webhook.test`, after what is still to be sent."""
        delivery = send_test(self._webhook(pk))
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="List what it was told, and is to be told",
        responses=DeliverySerializer(many=True),
    )
    @action(detail=True, pagination_class=CursorPages, filterset_class=DeliveryFilter)
    def deliveries(self, request: Request, pk: int) -> Response:
        """Its deliveries, newest first. Those delivered are kept for 30 days, dead ones for 90."""
        self._webhook(pk)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)

    @extend_schema(
        summary="Send a delivery again",
        request=None,
        responses=DeliverySerializer,
        examples=[examples.DELIVERY],
    )
    @action(detail=True, methods=["post"], url_path="deliveries/<int:delivery_id>/resend")
    def resend(self, request: Request, pk: int, delivery_id: int) -> Response:
        """Send again what was given up or delivered, before all that came later."""
        delivery = Delivery.objects.get(subscription=self._webhook(pk), pk=delivery_id)
        return Response(DeliverySerializer(resend(delivery)).data)

    def get_permissions(self) -> list[Any]:
        """What is posted to one of them changes it."""
        changes = self.detail and self.request and self.request.method == "POST"
        return [ManageChanges()] if changes else super().get_permissions()

    def _webhook(self, pk: int) -> Subscription:
        return Subscription.objects.get(pk=pk, kind=Subscription.Kind.WEBHOOK)

    def _validated(self, serializer_class: type[BaseSerializer]) -> Any:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data
