"""What the statistics look like; the selectors make the rows."""

from rest_framework import serializers


class OperatorLoadSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField()
    is_active = serializers.BooleanField()
    current_load = serializers.IntegerField()
    max_active_contacts = serializers.IntegerField()
    load_percentage = serializers.FloatField(help_text="load / limit · 100")


class OverviewSerializer(serializers.Serializer):
    total_operators = serializers.IntegerField()
    active_operators = serializers.IntegerField()
    total_sources = serializers.IntegerField()
    total_leads = serializers.IntegerField()
    total_contacts = serializers.IntegerField()
    active_contacts = serializers.IntegerField()
    new_contacts = serializers.IntegerField()
    in_progress_contacts = serializers.IntegerField()
    closed_contacts = serializers.IntegerField()
    waiting_contacts = serializers.IntegerField()
    total_capacity = serializers.IntegerField(help_text="Over active operators.")
    used_capacity = serializers.IntegerField(help_text="Over active operators.")
    operators = OperatorLoadSerializer(many=True)


class OperatorShareSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField()
    weight = serializers.IntegerField(allow_null=True, help_text="null: no longer assigned.")
    expected_share = serializers.FloatField(
        allow_null=True, help_text="weight / Σ weights of all assigned; null: no longer assigned."
    )
    actual_share = serializers.FloatField(
        allow_null=True, help_text="Over contacts that have an operator; null: there are none."
    )
    total_contacts = serializers.IntegerField()
    active_contacts = serializers.IntegerField()
    closed_contacts = serializers.IntegerField()
    load_percentage = serializers.FloatField(help_text="Of the source's contacts, · 100")


class SourceStatsSerializer(serializers.Serializer):
    source_id = serializers.IntegerField()
    source_code = serializers.CharField()
    source_name = serializers.CharField()
    total_contacts = serializers.IntegerField()
    active_contacts = serializers.IntegerField()
    closed_contacts = serializers.IntegerField()
    waiting_contacts = serializers.IntegerField()
    operators = OperatorShareSerializer(many=True)
