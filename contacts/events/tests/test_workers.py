"""Several who send at once, killed or told to end, and receivers at their worst."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.utils import timezone

from contacts.events.delivering import LEASE
from contacts.events.models import Delivery, Subscription
from contacts.events.services import send_test
from contacts.events.tests.factories import SubscriptionFactory
from contacts.events.tests.receiver import receiving
from contacts.services import change_status
from contacts.tests.scenes import arrive, serve
from crm_project.testing.service import ROOT, Service
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
PENDING = Delivery.State.PENDING


def database_url():
    its = {name: quote(str(value), safe="") for name, value in connection.settings_dict.items()}
    return f"postgresql://{its['USER']}:{its['PASSWORD']}@{its['HOST']}:{its['PORT']}/{its['NAME']}"


@pytest.fixture
def start():
    """Begin to send in a process of its own."""
    service, processes = Service(database_url()), []
    allowed = {"CRM_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8", "CRM_SECRET_KEY": "k" * 50}

    def begin():
        process = subprocess.Popen(
            [sys.executable, "manage.py", "deliver_events"],
            cwd=ROOT,
            env=service.environment | allowed,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        processes.append(process)
        assert process.stdout.readline() == b"Sending events.\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def _the_same_key(settings):
    settings.SECRET_KEY = "k" * 50


def until(holds, seconds=60, hurry=lambda: None):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it takes too long"
        hurry()
        time.sleep(0.1)


def let_time_pass():
    Subscription.objects.update(next_attempt_at=None)


def nothing_waits():
    return not Delivery.objects.filter(state=PENDING).exists()


def numbers(receiver):
    """Of the deliveries that came, each time they came."""
    ids = [headers["webhook-id"] for _path, headers, _body in list(receiver.got)]
    return [int(each.rpartition("_")[2]) for each in ids]


def firsts(values):
    return list(dict.fromkeys(values))


def work(source, leads, rounds):
    for number in range(rounds):
        contact, _ = arrive(source, f"{leads}:{number % 7}")
        change_status(contact.pk, status="in_progress")
        change_status(contact.pk, status="closed")


def test_two_at_once_keep_the_order(start):
    with receiving() as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        made = [send_test(webhook).pk for _ in range(150)]
        start()
        start()
        until(nothing_waits)
    assert numbers(receiver) == made


def test_killed_amid_its_work_it_loses_nothing(start):
    with receiving() as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        made = [send_test(webhook).pk for _ in range(150)]
        killed = 0
        while not nothing_waits():
            process = start()
            came = len(receiver.got)
            until(lambda came=came: len(receiver.got) >= came + 20 or nothing_waits())
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            # In place of waiting for it.
            Subscription.objects.update(leased_until=None)
    assert killed > 1
    assert firsts(numbers(receiver)) == made


def test_who_was_killed_holds_nobody_up_for_longer_than_the_lease(start):
    with receiving(lambda handler: time.sleep(2)) as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        send_test(webhook)
        process = start()
        until(lambda: receiver.got)
        process.kill()
        webhook.refresh_from_db()
        assert webhook.leased_until < timezone.now() + LEASE
        # Not all of it, for the sake of who waits for this test.
        soon = timezone.now() + timedelta(seconds=3)
        Subscription.objects.update(leased_until=soon)
        start()
        until(nothing_waits)
        assert timezone.now() > soon
    assert len(receiver.got) == 2


def test_told_to_end_it_lets_what_is_under_way_come_to_its_end(start):
    released = threading.Event()

    def slow(handler):
        released.wait(5)
        handler.send_response(204)
        handler.end_headers()

    with receiving(slow) as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        send_test(webhook)
        send_test(webhook)
        process = start()
        until(lambda: receiver.got)
        process.terminate()
        assert process.stdout.readline().startswith(b"Ending")
        released.set()
        assert process.wait(10) == 0
    states = Delivery.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["delivered", "pending"]
    assert Subscription.objects.get().leased_until is not None


def test_idle_it_ends_at_once(start):
    process = start()
    process.terminate()
    assert process.wait(10) == 0


def moody(handler):
    """An error, silence, half an answer, or none."""
    mood = random.choice(["error", "slow", "half", "away"])
    if mood == "slow":
        time.sleep(0.2)
    if mood in ("error", "slow"):
        handler.send_response(500 if mood == "error" else 200)
        handler.end_headers()
    elif mood == "half":
        handler.wfile.write(b"HTTP/1.1 2")
    handler.close_connection = True


def test_in_the_end_every_event_arrived_in_the_order_of_its_contact(start):
    source = SourceFactory()
    for _ in range(3):
        serve(source, max_active_contacts=50)
    with receiving(*[moody] * 30) as one, receiving(*[moody] * 15) as other:
        # For a while nobody is there at all.
        ours = SubscriptionFactory(url=one.url)
        SubscriptionFactory(url=other.url, events=["contact.assigned", "contact.closed"])
        Subscription.objects.filter(pk=ours.pk).update(url="http://127.0.0.1:9/")
        start()
        start()
        threads = [threading.Thread(target=closing(work), args=(source, n, 12)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Subscription.objects.filter(pk=ours.pk).update(url=one.url)
        until(nothing_waits, seconds=90, hurry=let_time_pass)
    for receiver, subscription in ((one, ours.pk), (other, ours.pk + 1)):
        rows = Delivery.objects.filter(subscription=subscription).order_by("pk")
        assert set(numbers(receiver)) == set(rows.values_list("pk", flat=True))
        came = defaultdict(list)
        for number, (_path, _headers, body) in zip(numbers(receiver), receiver.got, strict=True):
            contact = json.loads(body)["data"].get("contact")
            if contact and number not in came[contact["id"]]:
                came[contact["id"]].append(number)
        assert len(came) == 36
        for contact_id, numbers_of_it in came.items():
            told = rows.filter(contact_id=contact_id).values_list("pk", flat=True)
            assert numbers_of_it == list(told)


def closing(call):
    """Close the thread's own connection in the end."""

    def run(*args):
        try:
            call(*args)
        finally:
            connection.close()

    return run
