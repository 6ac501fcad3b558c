"""What drf-spectacular cannot see by itself."""

from drf_standardized_errors.openapi import AutoSchema as StandardizedErrorsSchema


class AutoSchema(StandardizedErrorsSchema):
    """Describes every error an endpoint can answer with."""
