from dataclasses import asdict
from functools import cache
from typing import Any

from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from access.permissions import SourceNotAllowed, may_view
from contacts.distribution import Decision, Reason
from contacts.history import candidates_as_json, skipped_as_json
from contacts.inquiry import Inquiry
from contacts.models import Contact, DecisionRecord
from contacts.plain import TEXTS, plain_texts
from contacts.rights import visible_contacts, visible_leads
from contacts.selectors import Look, look_at_source
from contacts.services import Reassignment
from contacts.waiting import Cause, causes
from contacts.wording import explain
from crm_project.api.fields import (
    BooleanField,
    IntegerField,
    ModelSerializer,
    OptionalTextField,
    TextField,
    moment,
)
from crm_project.api.filters import LARGEST_ID
from crm_project.api.pagination import LARGEST_PAGE, encode_cursor
from crm_project.errors import invalid
from leads.models import Lead
from leads.selectors import possible_duplicates
from leads.serializers import ExternalIdField, KeptLeadSerializer, LeadSerializer
from leads.services import Profile
from sources.models import Source, validate_code
from sources.selectors import find_source

LEAD_CONTACTS, MOST_DUPLICATES = 1000, 20
NO_CONTACTS = Contact.objects.none()
# Of a decision, to who may not look at operators.
HIDDEN: dict[str, list[Any]] = {"candidates": [], "skipped": []}


class ContactSerializer(ModelSerializer):
    source_code = serializers.CharField(source="source.code", read_only=True)
    operator_name = serializers.CharField(
        source="operator.name", default=None, read_only=True, allow_null=True
    )

    waiting_cause = serializers.SerializerMethodField(
        help_text="Why it waits now; null where it does not wait."
    )

    class Meta:
        model = Contact
        fields = [
            "id",
            "lead_id",
            "source_id",
            "source_code",
            "operator_id",
            "operator_name",
            "status",
            "message",
            "created_at",
            "assigned_at",
            "closed_at",
            "waiting_since",
            "waiting_cause",
            "escalated_at",
        ]

    def to_representation(self, instance: Contact) -> dict[str, Any]:
        # Written out: by its fields it takes far longer, and nothing is answered more often.
        return {
            "id": instance.pk,
            "lead_id": instance.lead_id,
            "source_id": instance.source_id,
            "source_code": instance.source.code,
            "operator_id": instance.operator_id,
            "operator_name": instance.operator.name if instance.operator else None,
            "status": instance.status,
            "message": instance.message,
            "created_at": moment(instance.created_at),
            "assigned_at": moment(instance.assigned_at),
            "closed_at": moment(instance.closed_at),
            "waiting_since": moment(instance.waiting_since),
            "waiting_cause": self.get_waiting_cause(instance),
            "escalated_at": moment(instance.escalated_at),
        }

    @extend_schema_field(
        serializers.ChoiceField(choices=[each.value for each in Cause], allow_null=True)
    )
    def get_waiting_cause(self, contact: Contact) -> str | None:
        return self._causes[contact.source_id].value if contact.waiting_since else None

    @cached_property
    def _causes(self) -> dict[int, Cause]:
        """Of all contacts shown beside this one."""
        shown = self.parent.instance if self.parent else [self.instance]
        sources = {each.source_id: each.source for each in shown if each.waiting_since}
        return causes(list(sources.values()))


class CandidateSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField()
    weight = serializers.IntegerField()
    share = serializers.FloatField(help_text="The probability of getting the contact.")
    current_load = serializers.IntegerField(help_text="Before the decision.")
    max_active_contacts = serializers.IntegerField()


class SkippedSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField()
    reason = serializers.ChoiceField(choices=[reason.value for reason in Reason])
    current_load = serializers.IntegerField(default=None, help_text="null in old records.")
    max_active_contacts = serializers.IntegerField(default=None, help_text="null in old records.")


class DistributionSerializer(serializers.Serializer):
    """A decision, for a program."""

    outcome = serializers.ChoiceField(choices=["assigned", "waiting"])
    strategy = serializers.CharField(
        allow_null=True, help_text="null where a person chose the operator."
    )
    candidates = CandidateSerializer(many=True)
    skipped = SkippedSerializer(many=True)
    draw = serializers.FloatField(
        allow_null=True, help_text="In [0, 1); null where nothing was drawn."
    )


def distribution_of(contact: Contact, decision: Decision) -> dict[str, Any]:
    """The decision as `DistributionSerializer` describes it."""
    return {
        "outcome": "assigned" if contact.operator_id else "waiting",
        "strategy": decision.strategy,
        "candidates": candidates_as_json(decision),
        "skipped": skipped_as_json(decision),
        "draw": decision.draw,
    }


class DistributedContactSerializer(ContactSerializer):
    """A contact with the decision just taken about it, which the context holds."""

    distribution_info = serializers.SerializerMethodField(
        help_text="The decision in one sentence, in the language of Accept-Language."
    )
    distribution = serializers.SerializerMethodField()

    class Meta(ContactSerializer.Meta):
        fields = [*ContactSerializer.Meta.fields, "distribution_info", "distribution"]

    def to_representation(self, instance: Contact) -> dict[str, Any]:
        return super().to_representation(instance) | {
            "distribution_info": self.get_distribution_info(instance),
            "distribution": self.get_distribution(instance),
        }

    def get_distribution_info(self, contact: Contact) -> str:
        return explain(contact, self.context["decision"])

    @extend_schema_field(DistributionSerializer)
    def get_distribution(self, contact: Contact) -> dict[str, Any]:
        shown = distribution_of(contact, self.context["decision"])
        return shown if self.context.get("knows_operators", True) else shown | HIDDEN


class CreatedContactSerializer(DistributedContactSerializer):
    """With its lead; `only_given` is the inquiry that made it, of whose lead the sender may be
    told nothing else.
    """

    lead = serializers.SerializerMethodField()

    class Meta(DistributedContactSerializer.Meta):
        fields = [*DistributedContactSerializer.Meta.fields, "lead"]

    def to_representation(self, instance: Contact) -> dict[str, Any]:
        return super().to_representation(instance) | {"lead": self.get_lead(instance)}

    @extend_schema_field(LeadSerializer)
    def get_lead(self, contact: Contact) -> dict[str, Any]:
        shown = LeadSerializer(contact.lead).data
        if inquiry := self.context.get("only_given"):
            shown |= {"external_id": inquiry.external_id, **asdict(inquiry.profile)}
            # Nor since when anybody else has known this lead.
            shown["created_at"] = moment(contact.created_at)
        return shown


class ReassignedContactSerializer(DistributedContactSerializer):
    reassigned = serializers.SerializerMethodField(help_text="Did the operator change?")

    class Meta(DistributedContactSerializer.Meta):
        fields = [*DistributedContactSerializer.Meta.fields, "reassigned"]

    def to_representation(self, instance: Contact) -> dict[str, Any]:
        return super().to_representation(instance) | {"reassigned": self.get_reassigned(instance)}

    def get_distribution_info(self, contact: Contact) -> str:
        reassignment: Reassignment = self.context["reassignment"]
        why = self.context.get("knows_operators", True)
        return explain(contact, reassignment.decision, moved=reassignment.moved, why=why)

    def get_reassigned(self, contact: Contact) -> bool:
        reassignment: Reassignment = self.context["reassignment"]
        return reassignment.moved


class NewContactSerializer(serializers.Serializer):
    """The context may hold `only_sources`, the ids of those that the sender may name."""

    lead_external_id = ExternalIdField()
    source_code = TextField(required=False, allow_null=True, trim_whitespace=False)
    source_id = IntegerField(required=False, allow_null=True, min_value=1, max_value=LARGEST_ID)
    message = OptionalTextField(max_length=10_000, trim_whitespace=False)
    lead_name = OptionalTextField(max_length=255)
    lead_phone = OptionalTextField(max_length=64, trim_whitespace=False)
    lead_email = OptionalTextField(max_length=254, trim_whitespace=False)

    @property
    def fields(self) -> Any:
        """The same for all readers, as they keep nothing of what they read: each making its own
        took longer than reading.
        """
        return _fields_of_new_contact(get_language())

    def to_internal_value(self, data: Any) -> Any:
        return _plain(data) or super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        source, look = self._source(attrs.get("source_code"), attrs.get("source_id"))
        inquiry = Inquiry(
            source=source,
            external_id=attrs["lead_external_id"],
            message=attrs.get("message", ""),
            profile=Profile(
                name=attrs.get("lead_name", ""),
                phone=attrs.get("lead_phone", ""),
                email=attrs.get("lead_email", ""),
            ),
            look=look,
        )
        return {"inquiry": inquiry}

    def _source(self, code: str | None, pk: int | None) -> tuple[Source, Look | None]:
        if code is None and pk is None:
            raise invalid("source_code", _("Give source_code or source_id."), code="required")
        field = "source_id" if code is None else "source_code"
        source, look = self._find(code, pk)
        if source is None:
            raise invalid(field, _("There is no such source."), code="does_not_exist")
        if pk is not None and source.pk != pk:
            raise invalid("source_id", _("source_code and source_id name different sources."))
        allowed = self.context.get("only_sources")
        if allowed is not None and source.pk not in allowed:
            raise SourceNotAllowed(field)
        return source, look

    def _find(self, code: str | None, pk: int | None) -> tuple[Source | None, Look | None]:
        """Many in one request have looked their sources up together; one alone looks right away at
        who serves it, too.
        """
        known = self.context.get("sources", {})
        name = pk if code is None else code
        if name in known:
            return known[name], None
        look = look_at_source(code=code, pk=pk, now=timezone.now())
        return (look.source, look) if look else (find_source(code=code, pk=pk), None)


def _plain(data: Any) -> dict[str, Any] | None:
    """What nearly all of them are, without asking each field; None: there is something else."""
    texts = plain_texts(data) if type(data) is dict else None
    if texts is None:
        return None
    code, pk = data.get("source_code"), data.get("source_id")
    if pk is not None or type(code) is not str or not validate_code.regex.search(code):
        return None
    return {"source_code": code, **dict(zip(TEXTS, texts, strict=True))}


# By language: DRF's messages of limits stay in the one in which they are first told.
@cache
def _fields_of_new_contact(language: str | None) -> Any:
    return super(NewContactSerializer, NewContactSerializer()).fields


class StatusSerializer(serializers.Serializer):
    # DRF's own message repeats the value, which may be no text that can be sent.
    status = serializers.ChoiceField(
        choices=Contact.Status.choices,
        error_messages={"invalid_choice": _("Give one of: new, in_progress, closed.")},
    )


class ReassignSerializer(serializers.Serializer):
    operator_id = IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LARGEST_ID,
        help_text="null: by distribution among the others.",
    )
    force = BooleanField(default=False, help_text="Exceed the operator's limit.")


class ActorSerializer(serializers.Serializer):
    type = serializers.CharField(
        source="actor_type", help_text="user, api_key, anonymous, channel, command, system"
    )
    name = serializers.CharField(source="actor_name")


class DecisionRecordSerializer(ModelSerializer):
    strategy = serializers.SerializerMethodField(
        help_text="null where a person chose the operator; sticky: the lead's latest one."
    )
    candidates = CandidateSerializer(many=True)
    skipped = SkippedSerializer(many=True)
    actor = ActorSerializer(source="*", help_text="Who asked.")

    class Meta:
        model = DecisionRecord
        fields = [
            "id",
            "kind",
            "operator_id",
            "operator_name",
            "previous_operator_id",
            "strategy",
            "candidates",
            "skipped",
            "draw",
            "forced",
            "actor",
            "created_at",
        ]

    def to_representation(self, instance: DecisionRecord) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return shown if self.context.get("knows_operators", True) else shown | HIDDEN

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_strategy(self, record: DecisionRecord) -> str | None:
        return record.strategy or None


class HistorySerializer(serializers.Serializer):
    results = DecisionRecordSerializer(many=True)


class DuplicateSerializer(serializers.Serializer):
    lead_id = serializers.IntegerField(source="lead.pk")
    same_phone = serializers.BooleanField()
    same_email = serializers.BooleanField()


class LeadDetailSerializer(KeptLeadSerializer):
    possible_duplicates = serializers.SerializerMethodField(
        help_text="Leads with the same phone or e-mail address, however written, the newest"
        f" {MOST_DUPLICATES}; of merged ones, those they were merged into."
    )
    contacts = serializers.SerializerMethodField()
    contacts_next = serializers.SerializerMethodField(
        help_text=f"Where the contacts go on, if there are more than {LEAD_CONTACTS}; else null."
    )

    class Meta(KeptLeadSerializer.Meta):
        fields = [
            *KeptLeadSerializer.Meta.fields,
            "possible_duplicates",
            "contacts",
            "contacts_next",
        ]

    def to_representation(self, instance: Lead) -> dict[str, Any]:
        request = self.context["request"]
        shown = visible_contacts(request.user) if may_view(request, Contact) else NO_CONTACTS
        newest = shown.filter(lead=instance).select_related("source", "operator")
        self._contacts = list(newest.order_by("-created_at", "-pk")[: LEAD_CONTACTS + 1])
        return super().to_representation(instance) | {
            "possible_duplicates": self.get_possible_duplicates(instance),
            "contacts": self.get_contacts(instance),
            "contacts_next": self.get_contacts_next(instance),
        }

    @extend_schema_field(DuplicateSerializer(many=True))
    def get_possible_duplicates(self, lead: Lead) -> list[dict[str, Any]]:
        """Of an operator, those he or she may see."""
        found = possible_duplicates(lead, most=MOST_DUPLICATES)
        if found:
            ids = [each.lead.pk for each in found]
            seen = visible_leads(self.context["request"].user, Lead.objects.filter(pk__in=ids))
            shown = set(seen.values_list("pk", flat=True))
            found = [each for each in found if each.lead.pk in shown]
        return list(DuplicateSerializer(found, many=True).data)

    @extend_schema_field(ContactSerializer(many=True))
    def get_contacts(self, lead: Lead) -> list[dict[str, Any]]:
        return list(ContactSerializer(self._contacts[:LEAD_CONTACTS], many=True).data)

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_contacts_next(self, lead: Lead) -> str | None:
        if len(self._contacts) <= LEAD_CONTACTS:
            return None
        cursor = encode_cursor("n", self._contacts[LEAD_CONTACTS - 1])
        path = f"/contacts?lead_id={lead.pk}&page_size={LARGEST_PAGE}&cursor={cursor}"
        return str(self.context["request"].build_absolute_uri(path))
