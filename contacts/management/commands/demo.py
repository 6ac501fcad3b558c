"""Demo data that looks like a small shop's last weeks."""

import heapq
import random
import secrets
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from contacts.inquiry import Inquiry
from contacts.models import WAITING, Contact
from contacts.services import change_status, create_contact
from contacts.staffing import change_operator
from leads.models import Lead
from leads.services import Profile
from operators.models import Operator
from operators.services import create_operator
from sources.models import Source
from sources.services import create_source, set_weight

DAYS = 21
OPENING, LUNCH, CLOSING = 9, 13, 20
AWAY = timedelta(days=3)
STILL_OPEN = 0.08
MOST_CONTACTS = 5000

OPERATORS = [  # name, limit
    ("Анна Сергеевна Щукина", 8),
    ("Борис Ильич Лебедев", 6),
    ("Вера Андреевна Королёва", 10),
    ("Глеб Олегович Тихонов", 4),
    ("Дарья Павловна Ёлкина", 7),
    ("Егор Денисович Самойлов", 6),
    ("Жанна Викторовна Орлова", 5),
]
SOURCES = [  # name, code, description, share of the contacts, weights by place in OPERATORS
    ("Telegram-бот", "telegram_bot", "Основной бот магазина", 9, {0: 3, 1: 2, 2: 2, 4: 1}),
    ("WhatsApp", "whatsapp", "Номер с визитки и с сайта", 6, {1: 2, 2: 3, 5: 1}),
    ("Сообщество VK", "vk_group", "Сообщения группы", 4, {0: 1, 3: 1, 4: 2, 5: 2}),
    ("Виджет на сайте", "site_widget", "Форма «Задать вопрос»", 5, {0: 2, 2: 1, 3: 2, 4: 1}),
    ("Оптовая анкета", "wholesale_form", "Заявки юрлиц: отвечает один человек", 3, {6: 1}),
]
WHOLESALE_OPERATOR = 6
# What the people of the firm would have pasted.
CHANNELS: dict[str, dict[str, Any]] = {
    "telegram_bot": {
        "kind": "telegram",
        "channel": {"options": {"reply_text": "Спасибо! Скоро ответим."}},
    },
    "whatsapp": {
        "kind": "whatsapp",
        "channel": {"secrets": {"app_secret": secrets.token_hex(16)}},
    },
    "vk_group": {"kind": "vk", "channel": {"options": {"confirmation": "a1b2c3d4"}}},
    "site_widget": {
        "kind": "widget",
        "channel": {"options": {"allowed_origins": ["https://shop.example"]}},
    },
    "wholesale_form": {"kind": "email_form"},
}

WOMEN = ["Мария", "Ольга", "Елена", "Наталья", "Ирина", "Юлия", "Светлана", "Ксения", "Людмила"]
MEN = ["Иван", "Сергей", "Дмитрий", "Алексей", "Павел", "Михаил", "Артём", "Никита", "Роман"]
SURNAMES = ["Смирнов", "Кузнецов", "Волков", "Соколов", "Морозов", "Фёдоров", "Беляев", "Никитин"]
SURNAMES += ["Зайцев", "Павлов", "Голубев", "Виноградов", "Медведев", "Ершов", "Громов", "Яшин"]
MESSAGES = [
    "Здравствуйте! Подскажите, есть ли доставка в Казань?",
    "Добрый день, сколько стоит установка под ключ?",
    "Не пришло подтверждение заказа, проверьте, пожалуйста.",
    "Можно ли оплатить по счёту от организации?",
    "Хочу перенести доставку на субботу, после обеда.",
    "Какая гарантия и где ближайший сервис?",
    "Подойдёт ли размер M на рост 176?",
    "Когда снова появится в наличии белый?",
    "Курьер не дозвонился. Позвоните мне, пожалуйста, после 18:00.",
    "Как вернуть товар, если не подошёл?",
    "Спасибо, всё пришло целым! Где можно оставить отзыв?",
    "Промокод ОСЕНЬ10 не применяется, пишет «срок истёк».",
    "Пришёл не тот цвет, заказывали серый. Что делать?",
    "Есть самовывоз в Екатеринбурге? До скольки работаете?",
    "А скидка для постоянных покупателей действует?",
    "Подскажите статус заказа: оформили в понедельник, трек не пришёл.",
    "Можно добавить к заказу ещё один комплект или оформлять новый?",
    "Деньги списались дважды, чек приложу. Верните, пожалуйста, лишнее.",
    "Подойдёт ли крепление к стене из гипсокартона?",
    "Чем отличается модель 2025 года от прошлогодней?",
    "Нужен чек с ИНН на прошлую покупку.",
    "Добрый вечер! Упакуете в подарок?",
    "ау, есть кто?",
    "",
]
WHOLESALE_MESSAGES = [
    "Здравствуйте, интересует оптовый прайс от 50 штук.",
    "Просим выставить счёт на 120 единиц, реквизиты пришлём.",
    "Работаете по договору с отсрочкой? Нужны поставки раз в месяц.",
    "Сеть из шести магазинов, хотим обсудить условия.",
    "Нужны сертификаты и образцы до подписания договора.",
]


class Command(BaseCommand):
    help = (
        "Fills an empty database with Russian demo data. A second run refuses, as it does wherever"
        " there is data, and changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--contacts", type=int, default=400, help="how many (400)")
        parser.add_argument("--seed", type=int, default=1, help="another one, other data (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["contacts"] <= MOST_CONTACTS:
            raise CommandError(f"--contacts must be from 1 to {MOST_CONTACTS}.")
        if not is_empty():
            raise CommandError("The database is not empty: demo data goes into an empty one only.")
        self.stdout.write("Filling in demo data ...")
        with transaction.atomic():
            History(random.Random(options["seed"]), options["contacts"]).unfold(self.progress)
        self.stdout.write(
            f"{Operator.objects.count()} operators, {Source.objects.count()} sources,"
            f" {Lead.objects.count()} leads, {Contact.objects.count()} contacts,"
            f" {Contact.objects.filter(WAITING).count()} of them waiting."
        )

    def progress(self, done: int, of: int) -> None:
        if self.stdout.isatty() and (done % 50 == 0 or done == of):
            self.stdout.write(f"\r{done} / {of}", ending="\n" if done == of else "")
            self.stdout.flush()


def is_empty() -> bool:
    """Has nobody put anything in yet? Users do not count."""
    return not any(model.objects.exists() for model in (Operator, Source, Lead, Contact))


class History:
    """Arrivals and what became of them in the order of time, through the services.

    The same generator and the same present moment give the same history.
    """

    def __init__(self, rng: random.Random, contacts: int) -> None:
        self.rng = rng
        self.contacts = contacts
        self.end = timezone.now()
        self.events: list[tuple[datetime, int, str]] = []

    def unfold(self, progress: Callable[[int, int], None]) -> None:
        self._set_up()
        leads = [self._lead(number) for number in range(max(1, self.contacts * 2 // 3))]
        moments = sorted(self._moment() for _ in range(self.contacts))
        for number, moment in enumerate(moments, 1):
            self._go_on_until(moment)
            if self.operator_away.is_active and moment > self.end - AWAY:
                self.operator_away = change_operator(self.operator_away, {"is_active": False})
            contact = self._arrive(moment, *self.rng.choice(leads))
            # The newest are still being worked on, whatever the hour of the day.
            self._handle(contact, moment, to_the_end=number <= self.contacts * (1 - STILL_OPEN))
            progress(number, self.contacts)
        self._go_on_until(self.end)
        if self.operator_away.is_active:
            change_operator(self.operator_away, {"is_active": False})

    def _set_up(self) -> None:
        operators = [
            create_operator(name=name, max_active_contacts=limit) for name, limit in OPERATORS
        ]
        # Nobody stands in for this one: what comes after the leave waits.
        self.operator_away = operators[WHOLESALE_OPERATOR]
        self.sources = []
        for name, code, description, _share, weights in SOURCES:
            source = create_source(
                name=name, code=code, description=description, **CHANNELS.get(code, {})
            )
            self.sources.append(source)
            for place, weight in weights.items():
                set_weight(operator_id=operators[place].pk, source_id=source.pk, weight=weight)

    def _lead(self, number: int) -> tuple[str, Profile]:
        woman = self.rng.random() < 0.5
        surname = self.rng.choice(SURNAMES) + ("а" if woman else "")
        name = f"{self.rng.choice(WOMEN if woman else MEN)} {surname}"
        phone = f"+7 900 000-{number // 100 % 100:02}-{number % 100:02}"
        email = f"client{number}@example.com" if self.rng.random() < 0.4 else ""
        return f"client:{1000 + number}", Profile(name=name, phone=phone, email=email)

    def _moment(self) -> datetime:
        """Some moment in the opening hours of the last weeks."""
        day = timezone.localtime(self.end) - timedelta(days=self.rng.randrange(DAYS))
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = midnight + timedelta(hours=self.rng.triangular(OPENING, CLOSING, LUNCH))
        return moment if moment < self.end else moment - timedelta(days=DAYS)

    def _arrive(self, moment: datetime, external_id: str, profile: Profile) -> Contact:
        source = self.rng.choices(self.sources, [share for *_, share, _weights in SOURCES])[0]
        wholesale = source.code == "wholesale_form"
        message = self.rng.choice(WHOLESALE_MESSAGES if wholesale else MESSAGES)
        inquiry = Inquiry(source, external_id, message, profile)
        return create_contact(inquiry, draw=self.rng.random, now=moment)[0]

    def _handle(self, contact: Contact, moment: datetime, *, to_the_end: bool) -> None:
        """Its operator takes it into work soon and closes it within hours; or it waits."""
        if contact.operator_id is None:
            return
        begun = self._in_opening_hours(moment + timedelta(minutes=self.rng.expovariate(1 / 20)))
        if to_the_end or self.rng.random() < 0.6:
            heapq.heappush(self.events, (begun, contact.pk, Contact.Status.IN_PROGRESS))
        if to_the_end:
            done = begun + timedelta(minutes=5, hours=self.rng.lognormvariate(0, 1))
            done = self._in_opening_hours(done)
            heapq.heappush(self.events, (done, contact.pk, Contact.Status.CLOSED))

    def _in_opening_hours(self, moment: datetime) -> datetime:
        """That moment, or one early on the next day that is open."""
        local = timezone.localtime(moment)
        if OPENING <= local.hour < CLOSING:
            return moment
        opening = local.replace(hour=OPENING, minute=0, second=0, microsecond=0)
        if local.hour >= CLOSING:
            opening += timedelta(days=1)
        return opening + timedelta(minutes=self.rng.uniform(1, 50))

    def _go_on_until(self, moment: datetime) -> None:
        while self.events and self.events[0][0] <= moment:
            now, contact_id, status = heapq.heappop(self.events)
            change_status(contact_id, status=status, draw=self.rng.random, now=now)
            if status == Contact.Status.CLOSED:
                # The place went to somebody who waited.
                for contact in Contact.objects.filter(assigned_at=now).order_by("pk"):
                    self._handle(contact, now, to_the_end=True)
