-- Whether a reason says that a call may have been made, and is not repeated. Inlined: no pinned path.

create or replace function headgate._is_unknown(p_reason text)
returns boolean
language sql
immutable
as $func$
    select coalesce(p_reason like 'internal: unknown %', false);
$func$;
