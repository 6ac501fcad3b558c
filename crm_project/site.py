"""The back office: the theme's admin, with pages of our own beside those of the models."""

from unfold.sites import UnfoldAdminSite


class CrmAdminSite(UnfoldAdminSite):
    """`admin.site`, wherever Django or an app speaks of it."""
