"""What the adapter asks PostgreSQL; functions named `procrastinate_…` are Procrastinate's own (release 3.10)."""

# Joined from constants of this file; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

_COLUMNS = "j.id, j.task_name, j.args, j.priority, j.lock, j.queueing_lock, j.status, j.scheduled_at, j.attempts, j.abort_requested"

# --- those who want something done

CANCEL = sa.text("SELECT procrastinate_cancel_job_v1(:id, true, false)")
CANCELLED = sa.text("UPDATE procrastinate_jobs SET args = args || :amended WHERE id = :id AND status = 'cancelled'").bindparams(
    sa.bindparam("amended", type_=JSONB)
)
OF_KEY = sa.text("""
SELECT id FROM procrastinate_jobs WHERE queueing_lock = :key AND status = 'todo'
UNION ALL SELECT id FROM procrastinate_jobs WHERE queueing_lock = :key AND status = 'doing'
""")
ROWS = sa.text(f"""
SELECT {_COLUMNS} FROM procrastinate_jobs AS j
WHERE j.status = ANY (CAST(:statuses AS procrastinate_job_status[])) AND (CAST(:before AS bigint) IS NULL OR j.id < :before)
ORDER BY j.id DESC LIMIT :limit
""")
ROW = sa.text(f"SELECT {_COLUMNS} FROM procrastinate_jobs AS j WHERE j.id = :id")
LOCK_DEAD = sa.text("SELECT id FROM procrastinate_jobs WHERE id = :id AND status = 'failed' FOR UPDATE")
WAITING = sa.text("SELECT count(*) FROM (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' LIMIT :most) AS found")

# --- workers

ENTER = sa.text("SELECT worker_id FROM procrastinate_register_worker_v1()")
LEAVE = sa.text("SELECT procrastinate_unregister_worker_v1(:worker)")
ALIVE = sa.text("""
INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (:worker)
ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()
""")

ANY_SCHEDULED = sa.text("SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = :queue LIMIT 1")
LOCK_SCHEDULED = sa.text("SELECT pg_advisory_xact_lock(x'61737363'::int)")
RUN_SCHEDULED = sa.text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' AND queue_name = :queue")

CLAIM = sa.text(f"""
WITH next AS (
    SELECT j.id FROM procrastinate_jobs AS j
    WHERE j.status = 'todo' AND j.queue_name = :queue AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    AND (j.lock IS NULL OR NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs AS o WHERE o.lock = j.lock AND o.status IN ('todo', 'doing') AND (
            o.status = 'doing' OR (
                (o.scheduled_at IS NULL OR o.scheduled_at <= now()) AND o.queue_name = :queue
                AND (o.priority > j.priority OR (o.priority = j.priority AND o.id < j.id))
            )
        )
    ))
    ORDER BY j.priority DESC, j.id LIMIT 1 FOR UPDATE OF j SKIP LOCKED
)
UPDATE procrastinate_jobs AS j SET status = 'doing', worker_id = :worker FROM next WHERE j.id = next.id RETURNING {_COLUMNS}
""")
"""An older one of the same lock that another worker is taking just now holds the younger one back, before it is seen to run."""

HELD = sa.text(f"SELECT {_COLUMNS} FROM procrastinate_jobs AS j WHERE j.worker_id = :worker AND j.status = 'doing' FOR UPDATE")
MINE = sa.text(f"""
SELECT {_COLUMNS} FROM procrastinate_jobs AS j
WHERE j.id = :id AND j.status = 'doing' AND j.worker_id = :worker AND j.attempts = :attempts FOR UPDATE
""")
FINISH = sa.text("SELECT procrastinate_finish_job_v1(:id, CAST(:status AS procrastinate_job_status), false)")
RETRY = sa.text("SELECT procrastinate_retry_job_v2(:id, now() + make_interval(secs => :seconds), NULL, NULL, NULL)")
AMEND = sa.text("""
UPDATE procrastinate_jobs SET args = args || :amended, attempts = COALESCE(CAST(:attempts AS integer), attempts) WHERE id = :id
""").bindparams(sa.bindparam("amended", type_=JSONB))
RING = sa.text("""
SELECT pg_notify('procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', CAST(:id AS bigint))::text)
""")

SILENT = sa.text(f"""
SELECT {_COLUMNS} FROM procrastinate_jobs AS j LEFT JOIN procrastinate_workers AS w ON w.id = j.worker_id
WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => :seconds)) FOR UPDATE OF j SKIP LOCKED
""")
FORGET = sa.text("""
DELETE FROM procrastinate_workers AS w WHERE w.last_heartbeat < now() - make_interval(secs => :seconds)
AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS j WHERE j.worker_id = w.id AND j.status = 'doing')
""")
CLEAN = sa.text("""
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT j.id FROM procrastinate_jobs AS j WHERE j.status = ANY (CAST(:statuses AS procrastinate_job_status[]))
    AND (SELECT max(e.at) FROM procrastinate_events AS e WHERE e.job_id = j.id AND e.type NOT IN ('scheduled', 'abort_requested')) < :before
    ORDER BY j.id LIMIT :most
)
""")
