"""What the statistics look like; the selectors make the rows."""

from rest_framework import serializers

from stats.fairness import LARGEST_Z, LEAST_DEVIATION, LEAST_DRAWS, LEAST_P, Verdict

VERDICTS = [verdict.value for verdict in Verdict]


class OperatorLoadSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField()
    is_active = serializers.BooleanField()
    current_load = serializers.IntegerField()
    max_active_contacts = serializers.IntegerField()
    load_percentage = serializers.FloatField(help_text="load / limit · 100")


class WaitingByCauseSerializer(serializers.Serializer):
    no_operators = serializers.IntegerField(help_text="Nobody is assigned to the source.")
    all_inactive = serializers.IntegerField(help_text="All of its operators are inactive.")
    off_hours = serializers.IntegerField(
        help_text="All of its active operators are outside their working hours."
    )
    all_full = serializers.IntegerField(
        help_text="All of its active operators who are at work are at the limit."
    )
    switched_off = serializers.IntegerField(
        help_text="Somebody is available, but the source hands nothing out by itself."
    )
    in_turn = serializers.IntegerField(help_text="They are being handed out at this moment.")


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
    waiting_by_cause = WaitingByCauseSerializer(help_text="How many wait for which reason.")
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


class OperatorFairnessSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField(help_text="Of a deleted operator the last one on record.")
    draws = serializers.IntegerField(help_text="In how many draws the operator was a candidate.")
    actual = serializers.IntegerField(help_text="How many of them fell on the operator.")
    expected = serializers.FloatField(help_text="How many were due: Σp, p = weight / Σ weights.")
    z = serializers.FloatField(help_text="(actual - expected) / √Σp(1 - p)")
    verdict = serializers.ChoiceField(
        VERDICTS,
        help_text=(
            f"too_few_draws: fewer than {LEAST_DRAWS}; suspicious: |z| above {LARGEST_Z:.0f} and"
            f" more than {LEAST_DEVIATION:.0f} draws off."
        ),
    )


class FairnessSerializer(serializers.Serializer):
    draws = serializers.IntegerField(
        help_text="Weighted draws in the period among at least two operators."
    )
    chi_square = serializers.FloatField(
        allow_null=True,
        help_text="All deviations together, (A - E)ᵀ C⁺ (A - E); null: there were no draws.",
    )
    degrees_of_freedom = serializers.IntegerField()
    p_value = serializers.FloatField(
        allow_null=True,
        help_text=(
            "The probability of a chi-square at least as large by chance alone; approximate,"
            " and too low where somebody is due hardly a draw. null: there were no draws."
        ),
    )
    verdict = serializers.ChoiceField(
        VERDICTS,
        help_text=(
            f"too_few_draws: fewer than {LEAST_DRAWS}; suspicious: p_value below {LEAST_P} and"
            f" somebody more than {LEAST_DEVIATION:.0f} draws off."
        ),
    )
    explanation = serializers.CharField(
        help_text="For a person, in their language: the verdict, and what chance alone does."
    )
    operators = OperatorFairnessSerializer(many=True)


class SourceStatsSerializer(serializers.Serializer):
    source_id = serializers.IntegerField()
    source_code = serializers.CharField()
    source_name = serializers.CharField()
    total_contacts = serializers.IntegerField()
    active_contacts = serializers.IntegerField()
    closed_contacts = serializers.IntegerField()
    waiting_contacts = serializers.IntegerField()
    operators = OperatorShareSerializer(many=True)
    fairness = FairnessSerializer(
        help_text="How the weighted draws fell, each held against the odds it was made with."
    )
