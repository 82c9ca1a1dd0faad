# Three images: `headgate` for migrations, runners, pages and the stand-in; `airflow` for Airflow's services; `superset` for BI.
# To pin Python's image by its digest: docker build --build-arg PYTHON=python:3.12.12-slim-trixie@sha256:...

ARG PYTHON=python:3.12.12-slim-trixie

FROM ${PYTHON} AS wheel
WORKDIR /src
COPY constraints.txt constraints-airflow.txt constraints-superset.txt /wheels/
RUN pip install --no-cache-dir -c /wheels/constraints.txt hatchling
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY runner runner
COPY db db
COPY dags dags
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM ${PYTHON} AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 1000 --create-home headgate && install --directory --owner=headgate /var/lib/airflow /var/lib/superset
WORKDIR /opt/headgate

FROM base AS headgate
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install -c /wheels/constraints.txt "$(echo /wheels/*.whl)[files,handlers,parsers,web]"
USER 1000
CMD ["headgate", "worker"]

FROM base AS airflow
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install -c /wheels/constraints-airflow.txt "$(echo /wheels/*.whl)[airflow,executors]"
COPY dags dags
USER 1000
CMD ["airflow", "version"]

FROM base AS superset
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install -c /wheels/constraints-superset.txt apache-superset psycopg2-binary rich cachetools
COPY deploy/superset superset
USER 1000
CMD ["/opt/headgate/superset/serve"]
