"""Every write to API keys. A key's text is returned once, when it is made, and kept nowhere."""

import logging
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import ApiKey
from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_changed, note_created
from crm_project.errors import invalid
from crm_project.statements import Query
from sources.models import Source

TOLD_OF_NEW = ["name", "prefix", "scope", "expires_at"]
# crm_<what people recognise it by>_<256 random bits>
FORM = re.compile(r"crm_([0-9a-f]{10})_[0-9a-f]{64}")
# So often at most the last use is written.
USE_IS_NOTED_EVERY = timedelta(minutes=1)

logger = logging.getLogger(__name__)


@transaction.atomic
def create_key(key: ApiKey, *, sources: Collection[Source] = (), actor: Actor = SYSTEM) -> str:
    """Save a new key, which has its name, scope and expiry; return its text, to be shown once.

    `sources` are where it may create contacts: some for the scope `intake`, none for the others.
    Raises a ValidationError that names the field.
    """
    if (key.scope == ApiKey.Scope.INTAKE) != bool(sources):
        raise invalid("sources", sources_wanted(key.scope), code="required")
    if key.expires_at and key.expires_at <= key.created_at:
        raise invalid("expires_at", _("It would have expired already."))
    text = f"crm_{secrets.token_hex(5)}_{secrets.token_hex(32)}"
    key.prefix, key.digest, key.created_by = text[4:14], _digest(text), actor.name
    _save(key)
    key.sources.set(sources)
    codes = ", ".join(sorted(source.code for source in sources))
    note_created(key, TOLD_OF_NEW, actor=actor, more={"sources": codes})
    return text


def sources_wanted(scope: str) -> str:
    """What is wrong with the sources where there should be some, or none."""
    if scope == ApiKey.Scope.INTAKE:
        return _("Name the sources in which this key may create contacts.")
    return _("Only a key that creates contacts has sources.")


def _save(key: ApiKey) -> None:
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError as error:
        if not is_taken(key.name):
            raise
        raise invalid("name", _("There is a key with this title already.")) from error


def is_taken(name: str) -> bool:
    """Has another key that is not revoked this name?"""
    return ApiKey.objects.filter(name=name, revoked_at=None).exists()


@transaction.atomic
def revoke_key(key: ApiKey, *, actor: Actor = SYSTEM) -> bool:
    """Refuse the key from now on, for ever; was that new?"""
    now = timezone.now()
    new = bool(ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now))
    if new:
        key.revoked_at = now
        note_changed(key, {"revoked_at": None}, actor=actor, now=now)
    return new


def find_key(text: str) -> ApiKey | None:
    """The key of this text, valid or not; None: there is none, or it cannot be one."""
    if not FORM.fullmatch(text):
        return None
    return next(iter(_by_digest.objects(_digest(text))), None)


_by_digest = Query(lambda digest: ApiKey.objects.filter(digest=digest), "?")


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Write down that the key was used, unless that was done a moment ago.

    One statement of its own, under a condition: two at once write it once and wait for nothing
    else. Where it cannot be written, the request goes on.
    """
    recent = now - USE_IS_NOTED_EVERY
    if key.last_used_at and key.last_used_at > recent:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=recent)
    try:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    except (OperationalError, InterfaceError):
        logger.warning("The last use of the API key %s could not be written.", key.prefix)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
