"""Dashboards for Grafana; `python -m deploy.grafana.write` writes them as JSON."""
