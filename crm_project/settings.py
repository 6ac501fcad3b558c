"""Settings, all from the environment. The table in README.md lists every variable.

Two modes: the first look (default: loopback only, the API open) and production
(`CRM_PRODUCTION=true`: nothing has a default that matters for safety).
"""

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from crm_project import logs
from crm_project.environment import Environment
from crm_project.patience import SQLITE_BUSY_SECONDS, connection_options

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = Environment(os.environ.get("CRM_DOTENV") or BASE_DIR / ".env")

# --- mode ---------------------------------------------------------------------------------------

PRODUCTION = env.boolean("CRM_PRODUCTION", default=False)
DEBUG = env.boolean("CRM_DEBUG", default=False)
SECRET_KEY = env.text("CRM_SECRET_KEY")
ALLOWED_HOSTS = env.words(
    "CRM_ALLOWED_HOSTS", default="" if PRODUCTION else "127.0.0.1,localhost,[::1]"
)
CSRF_TRUSTED_ORIGINS = env.words("CRM_CSRF_TRUSTED_ORIGINS")
BEHIND_TLS_PROXY = env.boolean("CRM_BEHIND_TLS_PROXY", default=False)
# How many of them add an address to X-Forwarded-For; see `crm_project.client_address`.
PROXIES = env.integer("CRM_PROXIES", default=int(BEHIND_TLS_PROXY), least=0, most=5)

if PRODUCTION:
    if DEBUG:
        raise ImproperlyConfigured("CRM_DEBUG must be off when CRM_PRODUCTION is on.")
    if len(SECRET_KEY) < 50:
        raise ImproperlyConfigured(
            "CRM_PRODUCTION is on: set CRM_SECRET_KEY to at least 50 random characters, e.g. from"
            " python3 -c 'import secrets; print(secrets.token_urlsafe(64))'"
        )
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "CRM_PRODUCTION is on: set CRM_ALLOWED_HOSTS to the names this service answers to,"
            " e.g. crm.example.com"
        )
# Workers must share the key: for the first look, `manage.py prepare` keeps one in this file.
SECRET_KEY_FILE = VAR_DIR / "secret_key"
if not SECRET_KEY and SECRET_KEY_FILE.is_file():
    SECRET_KEY = SECRET_KEY_FILE.read_text()
SECRET_KEY = SECRET_KEY or get_random_secret_key()

# Earlier ones, with which sessions and kept secrets can still be read.
SECRET_KEY_FALLBACKS = env.words("CRM_SECRET_KEY_FALLBACKS")

# Whoever can reach the open API can do everything: for a first look on loopback only.
API_IS_OPEN = not PRODUCTION

# --- applications -------------------------------------------------------------------------------

INSTALLED_APPS = [
    "crm_project",
    "crm_project.audit",
    # Without a site of its own: `crm_project.site` has it.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "crm_project.apps.CrmAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "operators",
    "sources",
    "access",
    "leads",
    "contacts",
    "contacts.events",
    "stats",
]

MIDDLEWARE = [
    "crm_project.request_log.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "crm_project.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "crm_project.middleware.LanguageMiddleware",
    "crm_project.middleware.ErrorShapeMiddleware",
    "crm_project.middleware.NoNullMiddleware",
    "crm_project.middleware.BodyLimitMiddleware",
    "crm_project.middleware.TrailingSlashMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "access.middleware.ApiKeyMiddleware",
    "crm_project.throttling.ThrottleMiddleware",
    "crm_project.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "crm_project.urls"
WSGI_APPLICATION = "crm_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "crm_project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database -----------------------------------------------------------------------------------

CONN_MAX_AGE = env.integer("CRM_CONN_MAX_AGE", default=60, least=0, most=86_400)
# In transaction mode, which knows no options of a session.
PGBOUNCER = env.boolean("CRM_PGBOUNCER", default=False)
DATABASES = {"default": env.database("DATABASE_URL", default=VAR_DIR / "db.sqlite3")}
DATABASES["default"] |= {"CONN_MAX_AGE": CONN_MAX_AGE, "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # WAL lets readers and one writer work at once; IMMEDIATE takes the write lock before the first
    # read, so that a transaction never has to start over; FULL keeps what was answered through a
    # power cut as well. See docs/decisions/0003-sqlite-durability.md. What is deleted is written
    # over, which some builds of SQLite do by themselves: a person's data must not stay in the file.
    DATABASES["default"]["ENGINE"] = "crm_project.sqlite3"
    # As it is by itself with Django's own engine, by whose name pytest-django goes.
    DATABASES["default"]["TEST"] = {"NAME": ":memory:"}
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_BUSY_SECONDS,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        " PRAGMA secure_delete=ON;",
    }
else:
    DATABASES["default"].setdefault("OPTIONS", {}).update(connection_options(pgbouncer=PGBOUNCER))
    DATABASES["default"] |= {
        "ENGINE": "crm_project.postgresql",
        # PgBouncer in transaction mode gives no session to keep a cursor in.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -------------------------------------------------------------------------------------

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# `manage.py prepare` makes the first admin user with these.
ADMIN_USERNAME = env.text("CRM_ADMIN_USERNAME", default="admin")
ADMIN_PASSWORD = env.text("CRM_ADMIN_PASSWORD")

# --- what goes out -------------------------------------------------------------------------------

# Where people reach the service, for links in what it sends; empty: there are none.
PUBLIC_URL = env.url("CRM_PUBLIC_URL")
globals().update(env.email("CRM_EMAIL_URL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("CRM_EMAIL_FROM", default="mini-crm@localhost")
# Another one where Telegram's own cannot be reached, such as a server of one's own.
TELEGRAM_API_URL = env.url("CRM_TELEGRAM_API_URL", default="https://api.telegram.org")

# --- languages and time -------------------------------------------------------------------------

LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", _("Russian")), ("en", _("English"))]
# The second holds what the admin theme and the libraries leave in English.
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "theme"]
USE_TZ = True
TIME_ZONE = env.time_zone("CRM_TIME_ZONE", default="Europe/Moscow")
# Where a telephone number without a country code belongs.
PHONE_REGION = env.phone_region("CRM_PHONE_REGION", default="RU")
# By what else than its external id a lead is known: these, where exactly one lead has them.
MATCH_LEADS = env.some_of("CRM_MATCH_LEADS", ["phone", "email"])

# --- static files -------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- safety on the network ----------------------------------------------------------------------

X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}
_INLINE_STYLES = {"style-src": ["'self'", "'unsafe-inline'"]}
# No more than each of them needs: Alpine in the admin's theme evaluates its attributes, ReDoc
# starts its search from a blob; all three write styles into their elements.
CSP_LOOSENED = {
    "/admin/": _INLINE_STYLES | {"script-src": ["'self'", "'unsafe-eval'"]},
    "/docs": _INLINE_STYLES,
    "/redoc": _INLINE_STYLES | {"worker-src": ["'self'", "blob:"]},
}
SECURE_REFERRER_POLICY = "same-origin"
if BEHIND_TLS_PROXY:
    # Only behind a proxy that sets or strips this header: otherwise anybody could claim HTTPS.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if PRODUCTION:
    SECURE_SSL_REDIRECT = True
    # Probes come from inside, by plain HTTP.
    SECURE_REDIRECT_EXEMPT = [r"^health(/ready)?/?$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# One sign-in lasts a long working day, and not into the next one.
SESSION_COOKIE_AGE = 14 * 3600

# --- how often one may ask ----------------------------------------------------------------------

# Requests a minute; 0: as many as they like, as in the first look, which is for one person.
REQUESTS_PER_MINUTE_KEY = env.integer(
    "CRM_REQUESTS_PER_MINUTE_KEY", default=6000 if PRODUCTION else 0, least=0, most=1_000_000
)
REQUESTS_PER_MINUTE_ADDRESS = env.integer(
    "CRM_REQUESTS_PER_MINUTE_ADDRESS", default=600 if PRODUCTION else 0, least=0, most=1_000_000
)
# Forms of a widget, which anybody can send.
FORMS_PER_MINUTE_ADDRESS = env.integer(
    "CRM_FORMS_PER_MINUTE_ADDRESS", default=10 if PRODUCTION else 0, least=0, most=1_000_000
)
# Where they and failed sign-ins are counted: on a local disk, shared by all processes.
COUNTERS_FILE = VAR_DIR / (env.text("CRM_COUNTERS_FILE") or "counters.sqlite3")

# --- the API ------------------------------------------------------------------------------------

BODY_LIMIT_BYTES = 1024 * 1024
BODY_LIMITS_BYTES = {"/contacts/bulk": 8 * 1024 * 1024}
# Of the admin; files to be imported (`crm_project.sheets.reading.MOST_BYTES`) are refused earlier.
UPLOAD_LIMIT_BYTES = 40 * 1024 * 1024
# Django's own limit, of 2.5 MB otherwise: it would answer with a 500 before ours does.
DATA_UPLOAD_MAX_MEMORY_SIZE = max(BODY_LIMITS_BYTES.values())
# For so long an Idempotency-Key gets its first answer again.
IDEMPOTENCY_HOURS = env.integer("CRM_IDEMPOTENCY_HOURS", default=24, least=24, most=720)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "access.authentication.ApiKeyAuthentication",
        "access.authentication.BackOfficeAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["access.permissions.ApiPermission"],
    "DEFAULT_PARSER_CLASSES": ["crm_project.api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["crm_project.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "crm_project.api.negotiation.AlwaysJSON",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "crm_project.api.pagination.NumberedPages",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "crm_project.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

ERROR_SCHEMAS = dict.fromkeys(
    ["400", "401", "403", "404", "405", "408", "409", "411", "413", "415", "429", "503"],
    "crm_project.api.schema.ErrorsSerializer",
)
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "crm_project.api.errors.ExceptionHandler",
    "EXCEPTION_FORMATTER_CLASS": "crm_project.api.errors.ExceptionFormatter",
    "ALLOWED_ERROR_STATUS_CODES": list(ERROR_SCHEMAS),
    "ERROR_SCHEMAS": ERROR_SCHEMAS,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Mini-CRM",
    "VERSION": "0.1.0",
    "DESCRIPTION": (
        "Distributes contacts from many sources among operators by weight and limit.\n\n"
        "A program names itself by an API key, `Authorization: Bearer crm_…`, of one of three"
        " scopes: `read` reads everything, `intake` creates contacts in its own sources and does"
        " nothing else, `manage` may do everything. Requests are limited per minute and"
        " credential: the headers `RateLimit-*` tell how many are left, a `429` tells with"
        " `Retry-After` when to try again. Errors speak Russian, or English where"
        " `Accept-Language` asks for it; their `code` is the same in both. With an"
        " `Idempotency-Key`, a repeated creation of contacts gets its first answer again and"
        " creates nothing. Every answer has an `X-Request-ID`, by which the log has the request."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "crm_project.api.schema.tell_of_request_ids",
    ],
    "ENUM_NAME_OVERRIDES": {
        "SourceKindEnum": "sources.models.Source.Kind",
        "ContactStatusEnum": "contacts.models.Contact.Status",
        "DeliveryStateEnum": "contacts.events.models.Delivery.State",
    },
}

# --- events ---------------------------------------------------------------------------------------

# Of this machine and the network around it, where webhooks may be sent all the same.
WEBHOOK_ALLOWED_NETWORKS = env.networks("CRM_WEBHOOK_ALLOWED_NETWORKS")

# --- admin --------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Mini-CRM",
    "SITE_HEADER": "Mini-CRM",
    "SITE_SYMBOL": "alt_route",
    "SHOW_HISTORY": True,
    "SIDEBAR": {"navigation": "crm_project.navigation.navigation"},
    "STYLES": [lambda request: static("crm_project/admin.css")],
    "SCRIPTS": [lambda request: static("crm_project/labels.js")],
    "DASHBOARD_CALLBACK": "stats.dashboard_views.add_dashboard",
}

# --- logs and metrics -----------------------------------------------------------------------------

LOGGING = logs.configuration(
    production=PRODUCTION,
    level=env.one_of("CRM_LOG_LEVEL", logs.LEVELS, default="INFO"),
    # What a command prints is its result; what it logs goes beside it.
    stream="stdout" if "gunicorn" in sys.modules else "stderr",
)
# Prometheus may show this one, so that it is let in without a database.
METRICS_TOKEN = env.text("CRM_METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured("CRM_METRICS_TOKEN must have at least 20 characters.")

# Read by gunicorn.conf.py and start.sh; named here so that a slip of the pen is noticed.
env.text("CRM_WORKERS")
env.text("CRM_THREADS")
env.text("CRM_REQUESTS_AT_ONCE")

env.refuse_unknown()
