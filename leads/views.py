from django.db.models import QuerySet
from rest_framework import mixins, viewsets
from rest_framework.serializers import BaseSerializer

from contacts.rights import visible_leads
from contacts.serializers import LeadDetailSerializer
from crm_project.api.pagination import CursorPages
from leads.filters import LeadFilter
from leads.models import Lead
from leads.serializers import KeptLeadSerializer


class LeadViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    lookup_value_converter = "int"
    http_method_names = ["get", "head"]
    queryset = Lead.objects.select_related("merged_into")
    filterset_class = LeadFilter
    pagination_class = CursorPages

    def get_queryset(self) -> QuerySet[Lead]:
        leads = visible_leads(self.request.user, super().get_queryset())
        return leads.filter(merged_into=None) if self.action == "list" else leads

    def get_object(self) -> Lead:
        """One that has been merged is answered by its survivor."""
        lead = super().get_object()
        return lead.merged_into or lead

    def get_serializer_class(self) -> type[BaseSerializer]:
        return KeptLeadSerializer if self.action == "list" else LeadDetailSerializer
