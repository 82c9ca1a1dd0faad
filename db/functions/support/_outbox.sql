-- The universes whose assets are notices: of channels that may be sent a thing once at most, and of those that are sent
-- a key by which they know it again.
create or replace function headgate._outbox()
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select '{outbox,keyed_outbox}'::text[];
$func$;
