"""Recognises the tables of LangGraph's checkpoints."""

from chatdb.layouts.capabilities import Capability
from chatdb.layouts.tables import Catalogue, System


def _recognises(catalogue: Catalogue) -> bool:
    checkpoints = catalogue.get("checkpoints")
    writes = catalogue.get("checkpoint_writes") or catalogue.get("writes")
    return (
        checkpoints is not None
        and checkpoints.has(
            *("thread_id", "checkpoint_ns", "checkpoint_id", "parent_checkpoint_id"),
            *("checkpoint", "metadata"),
        )
        and writes is not None
        and writes.has("thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel")
    )


system = System(
    name="langgraph",
    title="LangGraph's checkpoints, of 1.x to 4.x",
    recognises=_recognises,
    writes=False,
    group="wide",
    verified=("sqlite 1.0.4", "sqlite 3.1.2", "postgres 3.2.0"),
    can=frozenset(
        (
            Capability.BRANCHES,
            Capability.TOOLS,
            Capability.REASONING,
            Capability.TENANTS,
            Capability.DELETIONS,
            Capability.INCREMENTAL,
        )
    ),
)
