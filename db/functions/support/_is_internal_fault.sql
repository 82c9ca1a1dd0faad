-- An internal fault: a secret, a setting, a broken ingest function, a runner that died.

create or replace function headgate._is_internal_fault(p_reason text)
returns boolean
language sql
immutable
as $func$
    select coalesce(p_reason like 'internal: %', false);
$func$;
