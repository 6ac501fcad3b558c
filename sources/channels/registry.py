"""Which protocol a source of which kind speaks; one of the kind `api` speaks none of them."""

from collections.abc import Mapping

from sources.channels import email_form, telegram, vk, whatsapp, widget
from sources.channels.protocol import Protocol

PROTOCOLS: Mapping[str, Protocol] = {
    "telegram": telegram.PROTOCOL,
    "vk": vk.PROTOCOL,
    "whatsapp": whatsapp.PROTOCOL,
    "widget": widget.PROTOCOL,
    "email_form": email_form.PROTOCOL,
}
