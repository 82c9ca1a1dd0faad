-- Our own: a secret, a setting, an ingest function that cannot work, a runner that died.

create or replace function headgate._is_internal_fault(p_reason text)
returns boolean
language sql
immutable
as $func$
    select coalesce(p_reason like 'internal: %', false);
$func$;
