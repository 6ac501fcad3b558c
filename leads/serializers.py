from crm_project.api.fields import ModelSerializer
from leads.models import Lead


class LeadSerializer(ModelSerializer):
    class Meta:
        model = Lead
        fields = ["id", "external_id", "name", "phone", "email", "created_at"]
