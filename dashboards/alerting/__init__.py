"""Alert rules, contact points, policies, mute timings and templates as Grafana provisions them from files.

From the same rules as the gateway's. As shipped the stack's own alerts notify, and Grafana's rules watch the
watchers; or Grafana judges every rule that can be said in it. README.md beside this file says which and why.
"""

from dashboards.alerting.files import Mode, files

__all__ = ["Mode", "files"]
