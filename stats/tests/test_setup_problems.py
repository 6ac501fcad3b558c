from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from contacts.events.models import Delivery, Subscription
from contacts.events.selectors import given_up, unsent
from contacts.events.services import resend, send_test
from contacts.events.tests.factories import SubscriptionFactory
from contacts.tests.factories import ContactFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory
from stats.setup_problems import Channel, Code, Staff, setup_problems

PAGE = "admin:events_subscription_change"
ANNA = Staff(1, "Anna", True, load=2, limit=2)
IDLE = Staff(2, "Boris", False, load=0, limit=2)
BOT = Channel(1, "Bot", True)


@pytest.mark.parametrize(
    ("operators", "sources", "pairs", "expected"),
    [
        ([], [], [], []),
        ([ANNA], [BOT], [(1, 1)], []),
        ([ANNA, IDLE], [BOT], [(1, 1), (1, 2)], []),
        ([], [BOT], [], [(Code.SOURCE_WITHOUT_OPERATORS, 1)]),
        ([], [Channel(1, "Bot", False)], [], []),
        ([ANNA], [Channel(1, "Bot", True, "No")], [(1, 1)], [(Code.CHANNEL_NOT_READY, 1)]),
        ([IDLE], [BOT], [(1, 2)], [(Code.SOURCE_ALL_INACTIVE, 1)]),
        ([ANNA], [], [], [(Code.OPERATOR_WITHOUT_SOURCES, 1)]),
        ([IDLE], [], [], []),
        (
            [Staff(1, "Anna", True, load=3, limit=2)],
            [BOT],
            [(1, 1)],
            [(Code.OPERATOR_OVER_LIMIT, 1)],
        ),
        (
            [ANNA, Staff(2, "Boris", False, load=1, limit=2)],
            [BOT],
            [(1, 1)],
            [(Code.INACTIVE_WITH_CONTACTS, 2)],
        ),
        (
            [ANNA, Staff(2, "Boris", False, load=3, limit=2)],
            [BOT, Channel(2, "Mail", True)],
            [(2, 2)],
            [
                (Code.SOURCE_WITHOUT_OPERATORS, 1),
                (Code.SOURCE_ALL_INACTIVE, 2),
                (Code.OPERATOR_OVER_LIMIT, 2),
                (Code.OPERATOR_WITHOUT_SOURCES, 1),
            ],
        ),
    ],
)
def test_what_is_wrong_is_named_with_whom_it_concerns(operators, sources, pairs, expected):
    found = setup_problems(operators, sources, pairs)
    assert [(each.code, each.pk) for each in found] == expected


@pytest.mark.django_db
def test_the_page_names_each_problem_and_leads_to_where_it_is_mended(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    lonely = SourceFactory(name="Форма")
    asleep = AssignmentFactory(source__name="Бот", operator__is_active=False).source
    over = OperatorFactory(name="Анна", max_active_contacts=1)
    AssignmentFactory(operator=over)
    ContactFactory.create_batch(2, operator=over)
    idle = OperatorFactory(name="Борис")
    page = client.get("/admin/dashboard/", headers={"accept-language": "en"}).content.decode()
    assert "Nobody is assigned to the source “Форма”" in page
    for path in (
        f"/admin/sources/source/{lonely.pk}/change/",
        f"/admin/sources/source/{asleep.pk}/change/",
        f"/admin/operators/operator/{over.pk}/change/",
        f"/admin/operators/operator/{idle.pk}/change/",
    ):
        assert f'<a href="{path}">' in page
        assert client.get(path).status_code == 200
    assert {code for code in Code if f'data-code="{code}"' in page} == {
        Code.SOURCE_WITHOUT_OPERATORS,
        Code.SOURCE_ALL_INACTIVE,
        Code.OPERATOR_OVER_LIMIT,
        Code.OPERATOR_WITHOUT_SOURCES,
    }


@pytest.mark.django_db
def test_an_inactive_source_is_no_problem_unless_somebody_waits_there(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    source = SourceFactory(is_active=False)
    assert Code.SOURCE_WITHOUT_OPERATORS not in client.get("/admin/dashboard/").content.decode()
    ContactFactory(source=source)
    assert Code.SOURCE_WITHOUT_OPERATORS in client.get("/admin/dashboard/").content.decode()


@pytest.mark.django_db
def test_events_that_nobody_sends_are_told_after_a_minute():
    webhook = SubscriptionFactory()
    send_test(webhook)
    assert unsent() is None
    Delivery.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert unsent() == webhook
    [problem] = setup_problems([], [], [], unsent=(PAGE, webhook.pk))
    assert (problem.code, problem.pk) == (Code.EVENTS_NOT_SENT, webhook.pk)
    # Somebody is at it, or will be.
    for name in ("leased_until", "next_attempt_at"):
        Subscription.objects.update(leased_until=None, next_attempt_at=None)
        Subscription.objects.update(**{name: timezone.now()})
        assert unsent() is None


@pytest.mark.django_db
def test_events_that_were_given_up_are_told_until_they_are_sent_again():
    webhook = SubscriptionFactory()
    delivery = send_test(webhook)
    assert given_up() is None
    Delivery.objects.update(state="dead")
    assert given_up() == webhook
    [problem] = setup_problems([], [], [], given_up=(PAGE, webhook.pk))
    assert (problem.code, problem.pk) == (Code.EVENTS_GIVEN_UP, webhook.pk)
    delivery.refresh_from_db()
    resend(delivery)
    assert given_up() is None
