"""From an exception to the one shape of errors."""

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, InterfaceError, OperationalError
from drf_standardized_errors import handler
from rest_framework.exceptions import NotFound

from crm_project.errors import Busy, Conflict


class ExceptionHandler(handler.ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """What a race or the database may raise in any view.

        Serializers and services check every constraint first; an IntegrityError is left where
        two requests passed the check at the same moment.
        """
        match exc:
            case ObjectDoesNotExist():
                return NotFound()
            case IntegrityError():
                return Conflict()
            case OperationalError() | InterfaceError():
                return Busy()
        return super().convert_known_exceptions(exc)
