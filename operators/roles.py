"""The two groups that migration 0004 makes, and who is in them."""

from django.contrib.auth.models import AbstractUser, AnonymousUser

# Their names are data: shown as they are in every language.
TEAM_LEAD = "Руководитель"
OPERATOR = "Оператор"
ROLES = (TEAM_LEAD, OPERATOR)

User = AbstractUser | AnonymousUser


def is_team_lead(user: User) -> bool:
    """May the user see everything and let others in?"""
    return user.is_superuser or TEAM_LEAD in _groups_of(user)


def is_only_operator(user: User) -> bool:
    """Is the user confined to what an operator needs for his or her own work?"""
    return not is_team_lead(user) and OPERATOR in _groups_of(user)


def is_operator(user: User) -> bool:
    """Does the user, whatever else he or she may do, also work as an operator?

    Superusers need no group, so of them it is not known.
    """
    return not user.is_superuser and OPERATOR in _groups_of(user)


def _groups_of(user: User) -> frozenset[str]:
    """The names of the user's groups, looked up once, as Django does with permissions."""
    if not hasattr(user, "_group_names"):
        names = frozenset(user.groups.values_list("name", flat=True))
        user._group_names = names  # type: ignore[union-attr]  # our own, beside Django's
    return user._group_names  # type: ignore[union-attr]  # as above
