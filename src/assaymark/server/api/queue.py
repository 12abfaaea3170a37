"""The queue: what each of the three readers asks first, as the start page shows it."""

from __future__ import annotations

from assaymark.model.access import Permission
from assaymark.server import alarms, queue
from assaymark.server.alarms import Alarms
from assaymark.server.api.route import Call, Router
from assaymark.server.queue import Developer, Manager, Stakeholder

router = Router("queue")


@router.add("GET", "/queue/developer", Permission.ASSESSMENTS_READ)
def get_my_queue(call: Call) -> Developer:
    """What waits on you: your changes with their verdicts, what you own, what you asked for and was answered."""
    with call.service.database.read() as connection:
        return queue.developer(connection, call.who, call.service.now())


@router.add("GET", "/queue/manager", Permission.FINDINGS_READ)
def get_security_queue(call: Call) -> Manager:
    """What is new and stops, what is overdue, what asks for a decision, what is unproven, which decisions end soon."""
    with call.service.database.read() as connection:
        return queue.manager(connection, call.who, call.service.now())


@router.add("GET", "/queue/stakeholder", Permission.SUBJECTS_READ)
def get_standing(call: Call) -> Stakeholder:
    """Where things stand against the level that was chosen, whether it got weaker, where it goes, and how fast verdicts are."""
    with call.service.database.read() as connection:
        return queue.stakeholder(connection, call.who, call.service.now())


@router.add("GET", "/queue/deployments", Permission.DEPLOYMENTS_READ)
def get_alarms(call: Call) -> Alarms:
    """What is loud: what runs by a break-glass order or is not approved any more, drifts, promotions that wait for you."""
    with call.service.database.read() as connection:
        return alarms.alarms(connection, call.who)
