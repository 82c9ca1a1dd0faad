-- The universes whose assets are notices: of channels that must get a notice at most once, and of channels that
-- recognise a repeated notice by its key.
create or replace function headgate._outbox()
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select '{outbox,keyed_outbox}'::text[];
$func$;
