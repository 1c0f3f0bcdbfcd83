"""The sorts of faults by name. A new one is a function, a line here and a line in a scenario."""

from __future__ import annotations

from faults import from_strangers, on_lines, on_machines, on_nodes, on_room
from faults.laboratory import Inject

SORTS: dict[str, Inject] = {
    fault.__name__: fault
    for fault in (
        on_machines.gateway_kill,
        on_machines.gateway_stop,
        on_machines.broker_kill,
        on_machines.broker_stop,
        on_machines.store_kill,
        on_machines.store_away,
        on_machines.gateway_frozen,
        on_machines.broker_frozen,
        on_machines.store_frozen,
        on_machines.disk_full,
        on_machines.disk_full_kill,
        on_machines.journal_lost,
        on_machines.journal_torn,
        on_machines.journal_flipped,
        on_lines.wan_cut,
        on_lines.wan_late,
        on_lines.wan_half_open,
        on_lines.wan_slow,
        on_lines.wan_reset,
        on_lines.node_link_cut,
        on_lines.node_link_half_open,
        on_lines.gateway_link_cut,
        on_nodes.power_cut,
        on_nodes.power_cut_mid_flow,
        on_nodes.boot_twice_mid_flow,
        on_nodes.boot_twice,
        on_nodes.flash_torn,
        on_nodes.outbox_overflow,
        on_nodes.clock_jump,
        on_nodes.clock_lost,
        on_nodes.clock_1970,
        on_nodes.clock_2000,
        on_nodes.twins,
        on_nodes.reorder,
        on_nodes.flood,
        on_room.backlog_limit,
        on_room.disk_nearly_full,
        from_strangers.duplicates,
        from_strangers.hostile,
        from_strangers.store_type_conflict,
    )
}
