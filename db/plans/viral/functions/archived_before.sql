-- Where the archive ends: whole days that are more than 30 days old.

create or replace function viral.archived_before(p_now timestamptz)
returns timestamptz
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select date_trunc('day', (p_now - interval '30 days') at time zone 'UTC') at time zone 'UTC';
$func$;

comment on function viral.archived_before(timestamptz) is 'Samples before this time belong into the archive.';
