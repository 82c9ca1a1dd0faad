# Two images: `headgate` for migrations, runners and the stand-in; `airflow` for Airflow's services.

FROM python:3.12-slim AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/headgate
COPY pyproject.toml README.md LICENSE NOTICE constraints.txt constraints-airflow.txt ./
COPY runner runner
COPY db db
COPY dags dags
RUN useradd --create-home headgate && install --directory --owner=headgate /var/lib/airflow

FROM base AS headgate
RUN pip install -c constraints.txt '.[handlers,web]' 'exchange-calendars>=4.10'
USER headgate
CMD ["headgate", "worker"]

FROM base AS airflow
RUN pip install -c constraints-airflow.txt '.[airflow]'
USER headgate
CMD ["airflow", "version"]
