"""From an exception to the one shape of errors."""

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from drf_standardized_errors import formatter, handler
from drf_standardized_errors.types import ErrorResponse
from rest_framework.exceptions import APIException, NotFound
from rest_framework.response import Response
from rest_framework.settings import api_settings

from crm_project.errors import Conflict
from crm_project.faults import fault_of, log_fault
from crm_project.responses import unforeseen


class ExceptionFormatter(formatter.ExceptionFormatter):
    def format_error_response(self, error_response: ErrorResponse) -> dict:
        """What is wrong with the whole body names no field."""
        for error in error_response.errors:
            if error.attr == api_settings.NON_FIELD_ERRORS_KEY:
                error.attr = None
        return super().format_error_response(error_response)


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
        return fault_of(exc) or super().convert_known_exceptions(exc)

    def report_exception(self, exc: APIException, response: Response) -> None:
        if fault_of(self.exc):
            log_fault(self.exc, response)
        else:
            super().report_exception(exc, response)

    def convert_unhandled_exceptions(self, exc: Exception) -> APIException:
        if isinstance(exc, APIException):
            return exc
        return APIException(unforeseen(self.context["request"]))
