"""Dashboards as code: signals -> panels -> rows -> boards, all from the catalogue.

Plain dataclasses, not an SDK: Grafana's own has no InfluxDB query and no id or place for a panel, so it would
be wrapped anyway; what is built here is validated in tests against the schemas that SDK is made from.
"""
