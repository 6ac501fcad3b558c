"""Which protocol a source of which kind speaks; one of the kind `api` speaks none of them."""

from collections.abc import Mapping

from sources.channels import email_form, telegram, vk, whatsapp
from sources.channels.protocol import Protocol

PROTOCOLS: Mapping[str, Protocol] = {
    "telegram": telegram.PROTOCOL,
    "vk": vk.PROTOCOL,
    "whatsapp": whatsapp.PROTOCOL,
    "email_form": email_form.PROTOCOL,
}
