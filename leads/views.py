from rest_framework import mixins, viewsets
from rest_framework.serializers import BaseSerializer

from contacts.serializers import LeadDetailSerializer
from crm_project.api.pagination import CursorPages
from leads.filters import LeadFilter
from leads.models import Lead
from leads.serializers import LeadSerializer


class LeadViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    lookup_value_converter = "int"
    http_method_names = ["get", "head"]
    queryset = Lead.objects.all()
    filterset_class = LeadFilter
    pagination_class = CursorPages

    def get_serializer_class(self) -> type[BaseSerializer]:
        return LeadSerializer if self.action == "list" else LeadDetailSerializer
