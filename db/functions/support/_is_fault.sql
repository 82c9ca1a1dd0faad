-- Whose fault it is that a job was deferred: the reason says so by its first word. Both are meant to inline (no pinned
-- path): they are asked once per job.

-- The provider's or an internal one, and not want of quota.
create or replace function headgate._is_fault(p_reason text)
returns boolean
language sql
immutable
as $func$
    select coalesce(p_reason like 'provider: %' or p_reason like 'internal: %', false);
$func$;
