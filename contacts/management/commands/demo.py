"""Demo data that looks like a small firm's last weeks."""

import heapq
import random
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from contacts.models import Contact
from contacts.services import change_status, create_contact
from leads.models import Lead
from leads.services import Profile
from operators.models import Operator
from operators.services import create_operator, update_operator
from sources.models import Source
from sources.services import create_source, set_weight

WEEKS = 3
OPERATORS = [  # name, limit
    ("Анна Щукина", 8),
    ("Борис Лебедев", 6),
    ("Вера Королёва", 10),
    ("Глеб Тихонов", 5),
    ("Дарья Ёлкина", 7),
    ("Егор Самойлов", 6),
    ("Жанна Орлова", 5),
]
SOURCES = [  # name, code, description, weights by the operator's place in the list
    ("Telegram-бот", "telegram_bot", "Основной бот магазина", {0: 3, 1: 2, 2: 2, 4: 1}),
    ("WhatsApp", "whatsapp", "Номер с визитки и с сайта", {1: 2, 2: 3, 5: 1}),
    ("Сообщество VK", "vk_group", "Сообщения группы", {0: 1, 4: 2, 5: 2}),
    ("Виджет на сайте", "site_widget", "Форма «Задать вопрос»", {2: 1, 4: 1, 0: 2}),
    ("Оптовая анкета", "wholesale_form", "Заявки от юрлиц: отвечает один человек", {3: 1}),
]
POPULARITY = [9, 6, 4, 5, 2]
HOLIDAY = timedelta(days=4)
NAMES = ["Мария", "Иван", "Ольга", "Сергей", "Елена", "Дмитрий", "Наталья", "Алексей", "Ирина"]
NAMES += ["Павел", "Юлия", "Михаил", "Светлана", "Артём", "Ксения", "Никита", "Людмила", "Роман"]
LETTERS = "АБВГДЕЖЗИКЛМНОПРСТФ"
MESSAGES = [
    "Здравствуйте! Подскажите, есть ли доставка в Казань?",
    "Добрый день, сколько стоит установка под ключ?",
    "Не пришло подтверждение заказа, проверьте, пожалуйста.",
    "Можно ли оплатить по счёту от организации?",
    "Хочу перенести доставку на субботу.",
    "Какая гарантия и где ближайший сервис?",
    "Подойдёт ли размер M на рост 176?",
    "Здравствуйте, интересует оптовый прайс.",
    "Когда снова появится в наличии белый?",
    "Курьер не дозвонился, позвоните мне после 18:00.",
    "Как вернуть товар, если не подошёл?",
    "Спасибо, всё получила! Можно оставить отзыв?",
]


def is_empty() -> bool:
    """Is there nothing yet beside which demo data would confuse?"""
    return not any(model.objects.exists() for model in (Operator, Source, Lead, Contact))


class Command(BaseCommand):
    help = "Fills an empty database with Russian demo data. Refuses where there is data already."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--contacts", type=int, default=400, help="how many (400)")
        parser.add_argument("--seed", type=int, default=1, help="another one, other data (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_empty():
            raise CommandError("The database is not empty: demo data goes into an empty one only.")
        self.stdout.write("Filling in demo data ...")
        with transaction.atomic():
            History(random.Random(options["seed"]), options["contacts"]).unfold()
        waiting = Contact.objects.filter(operator=None).count()
        self.stdout.write(
            f"{Operator.objects.count()} operators, {Source.objects.count()} sources,"
            f" {Contact.objects.count()} contacts, {waiting} of them waiting."
        )


class History:
    """Arrivals and closings in the order of time, through the services."""

    def __init__(self, rng: random.Random, contacts: int) -> None:
        self.rng = rng
        self.contacts = contacts
        self.end = timezone.now()
        self.closings: list[tuple[datetime, int]] = []

    def unfold(self) -> None:
        sources = self._set_up()
        leads = [self._lead(number) for number in range(max(1, self.contacts * 2 // 3))]
        for moment in sorted(self._moment() for _ in range(self.contacts)):
            self._close_until(moment)
            if moment > self.end - HOLIDAY and self.wholesaler.is_active:
                # Nobody stands in for the one who answers the wholesale form: some of it waits.
                self.wholesaler = update_operator(self.wholesaler, is_active=False)
            source = self.rng.choices(sources, POPULARITY)[0]
            external_id, profile = self.rng.choice(leads)
            contact, _ = create_contact(
                source=source,
                external_id=external_id,
                profile=profile,
                message=self.rng.choice(MESSAGES),
                draw=self.rng.random,
                now=moment,
            )
            self._handle(contact, moment)
        self._close_until(self.end)

    def _set_up(self) -> list[Source]:
        operators = [
            create_operator(name=name, max_active_contacts=limit) for name, limit in OPERATORS
        ]
        sources = []
        for name, code, description, weights in SOURCES:
            source = create_source(name=name, code=code, description=description)
            sources.append(source)
            for place, weight in weights.items():
                set_weight(operator_id=operators[place].pk, source_id=source.pk, weight=weight)
        update_operator(operators[-1], is_active=False)
        self.wholesaler = operators[3]
        return sources

    def _lead(self, number: int) -> tuple[str, Profile]:
        name = f"{self.rng.choice(NAMES)} {self.rng.choice(LETTERS)}."
        phone = f"+7 900 000-{number // 100 % 100:02}-{number % 100:02}"
        email = f"client{number}@example.com" if self.rng.random() < 0.4 else ""
        return f"client:{1000 + number}", Profile(name=name, phone=phone, email=email)

    def _moment(self) -> datetime:
        """Some moment of the last weeks, mostly by day."""
        day = self.end - timedelta(days=self.rng.uniform(0, WEEKS * 7))
        hour = min(23.9, max(0.0, self.rng.gauss(14, 3.5)))
        start = timezone.localtime(day).replace(hour=0, minute=0, second=0, microsecond=0)
        return min(self.end, start + timedelta(hours=hour, seconds=self.rng.uniform(0, 60)))

    def _handle(self, contact: Contact, moment: datetime) -> None:
        """Somebody takes it into work soon and closes it within hours, or not yet."""
        if contact.operator_id is None:
            return
        if self.rng.random() < 0.6:
            change_status(contact.pk, status=Contact.Status.IN_PROGRESS, now=moment)
        closing = moment + timedelta(hours=self.rng.lognormvariate(2.8, 1))
        heapq.heappush(self.closings, (closing, contact.pk))

    def _close_until(self, moment: datetime) -> None:
        while self.closings and self.closings[0][0] <= moment:
            closing, contact_id = heapq.heappop(self.closings)
            change_status(contact_id, status=Contact.Status.CLOSED, now=closing)
