# syntax=docker/dockerfile:1
# Two stages: the first makes the environment, the second holds it and the code, and no compiler.

FROM python:3.13-slim AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt .
# Wheels alone, and only those whose hashes are locked.
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CRM_DOTENV=/dev/null
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin crm
WORKDIR /app
COPY --from=environment /opt/venv /opt/venv
COPY . .
# As for a first look, which needs no secret, and makes none.
RUN python -m compileall -q . /opt/venv/lib \
    && python manage.py prepare --only-static \
    && chown -R crm var
USER crm

# From here on only with CRM_SECRET_KEY and CRM_ALLOWED_HOSTS: without them it does not start.
ENV CRM_PRODUCTION=true HOST=0.0.0.0 PORT=8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "deploy/healthcheck.py"]
CMD ["gunicorn", "crm_project.wsgi"]
