from typing import Any

from django.utils.translation import gettext_lazy as _

from crm_project.api.fields import ModelSerializer, MomentField, NotBlankTextField, moment
from leads.identity import is_erased_id
from leads.models import Lead


class ExternalIdField(NotBlankTextField):
    """Any text but one that stands for somebody whose data were erased."""

    default_error_messages = {
        "lead_is_erased": _("This is the id of a lead whose personal data have been erased.")
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=255, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if is_erased_id(text):
            self.fail("lead_is_erased")
        return text


class LeadSerializer(ModelSerializer):
    """A lead as whoever has just written is."""

    class Meta:
        model = Lead
        fields = ["id", "external_id", "name", "phone", "email", "created_at"]

    def to_representation(self, instance: Lead) -> dict[str, Any]:
        # Written out, as each answer to a new contact has one: by its fields it takes far longer.
        return {
            "id": instance.pk,
            "external_id": instance.external_id,
            "name": instance.name,
            "phone": instance.phone,
            "email": instance.email,
            "created_at": moment(instance.created_at),
        }


class KeptLeadSerializer(LeadSerializer):
    """A lead as it is found later."""

    erased_at = MomentField(
        read_only=True,
        allow_null=True,
        help_text="Since when the texts are empty and the external id tells nothing, because the"
        " personal data were erased; else null.",
    )

    class Meta(LeadSerializer.Meta):
        fields = [*LeadSerializer.Meta.fields, "erased_at"]

    def to_representation(self, instance: Lead) -> dict[str, Any]:
        return super().to_representation(instance) | {"erased_at": moment(instance.erased_at)}
