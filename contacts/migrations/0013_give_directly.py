"""What `contacts.direct` does under locks, in one call: what a function runs is planned once for each
connection, and no lock is held while a statement is on its way.

PostgreSQL only; elsewhere it goes statement by statement. A change of it is a new function with a
new name, as the version before may still be calling this one.
"""

from django.db import migrations

MAKE = """
    CREATE FUNCTION contacts_give_directly(
      an_external_id text, a_name text, a_phone text, an_email text,
      a_phone_e164 text, an_email_key text,
      a_source_id bigint, an_operator_id bigint, an_operator_name text, a_message text,
      the_candidates jsonb, the_skipped jsonb, the_odds text, the_draw double precision,
      an_actor_type text, an_actor_name text, a_moment timestamptz, at_that_moment boolean,
      OUT contact_id bigint, OUT lead_id bigint,
      OUT lead_name text, OUT lead_phone text, OUT lead_email text,
      OUT lead_created_at timestamptz, OUT given_at timestamptz
    ) LANGUAGE plpgsql AS $$
    DECLARE
      gone_at timestamptz;
      survivor bigint;
      hands_out boolean;
    BEGIN
      -- What is known stays, and what is missing is filled; the row is locked either way.
      INSERT INTO leads_lead AS known
        (external_id, name, phone, email, phone_e164, email_key, created_at)
      VALUES
        (an_external_id, a_name, a_phone, an_email, a_phone_e164, an_email_key, a_moment)
      ON CONFLICT (external_id) DO UPDATE SET
        name = CASE WHEN known.name = '' THEN excluded.name ELSE known.name END,
        phone = CASE WHEN known.phone = '' THEN excluded.phone ELSE known.phone END,
        phone_e164 = CASE WHEN known.phone = '' THEN excluded.phone_e164 ELSE known.phone_e164 END,
        email = CASE WHEN known.email = '' THEN excluded.email ELSE known.email END,
        email_key = CASE WHEN known.email = '' THEN excluded.email_key ELSE known.email_key END
      RETURNING known.id, known.name, known.phone, known.email, known.created_at,
        known.erased_at, known.merged_into_id
      INTO lead_id, lead_name, lead_phone, lead_email, lead_created_at, gone_at, survivor;
      IF gone_at IS NOT NULL OR survivor IS NOT NULL THEN
        RAISE EXCEPTION 'the lead is another one' USING ERRCODE = 'CRM02';
      END IF;

      PERFORM FROM operators_operator WHERE id = an_operator_id FOR NO KEY UPDATE;
      -- Whoever gave up a place has done so before, by the times that are written, too.
      given_at = CASE WHEN at_that_moment THEN a_moment
        ELSE greatest(a_moment, clock_timestamp()) END;
      -- In the next statement: that one may have seen what was before it waited.
      SELECT source.auto_assign_waiting INTO hands_out
      FROM sources_assignment AS assignment
      JOIN sources_source AS source ON source.id = assignment.source_id
      JOIN operators_operator AS operator ON operator.id = assignment.operator_id
      LEFT JOIN contacts_load AS load ON load.operator_id = operator.id
      WHERE assignment.source_id = a_source_id AND assignment.operator_id = an_operator_id
        AND operator.is_active
        AND (operator.shift_starts_at IS NULL OR operator.shift_starts_at <= given_at)
        AND (operator.shift_ends_at IS NULL OR operator.shift_ends_at > given_at)
        AND coalesce(load.open_contacts, 0) < operator.max_active_contacts
        AND NOT (source.auto_assign_waiting AND EXISTS (
          SELECT FROM contacts_contact
          WHERE source_id = a_source_id AND waiting_since IS NOT NULL
        ));
      IF NOT FOUND THEN
        RAISE EXCEPTION 'the operator is gone' USING ERRCODE = 'CRM01';
      END IF;

      INSERT INTO contacts_contact
        (lead_id, source_id, operator_id, status, message, created_at, assigned_at, handovers)
      VALUES
        (lead_id, a_source_id, an_operator_id, 'new', a_message, a_moment, given_at, 0)
      RETURNING id INTO contact_id;
      INSERT INTO contacts_decisionrecord
        (contact_id, source_id, kind, operator_id, operator_name, strategy, candidates, skipped,
         odds, draw, forced, auto_assign_waiting, actor_type, actor_name, created_at)
      VALUES
        (contact_id, a_source_id, 'create', an_operator_id, an_operator_name, 'weighted_random',
         the_candidates, the_skipped, the_odds, the_draw, false, hands_out, an_actor_type,
         an_actor_name, given_at);
    END $$
"""


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(MAKE, params=None)


def take_away(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION contacts_give_directly", params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0012_loads"),
        ("leads", "0005_erasing"),
        ("sources", "0003_response_timeout"),
    ]

    operations = [migrations.RunPython(make, take_away)]
