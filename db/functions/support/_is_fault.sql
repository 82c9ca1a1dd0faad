-- Whose fault a deferral was: the first word of its reason says so. Both functions are inlined (no pinned path),
-- because they run once per job.

-- The provider's or an internal fault, rather than a lack of quota.
create or replace function headgate._is_fault(p_reason text)
returns boolean
language sql
immutable
as $func$
    select coalesce(p_reason like 'provider: %' or p_reason like 'internal: %', false);
$func$;
