-- All queues: one per provider and priority class.

create or replace function headgate._queues()
returns table (queue text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select q.queue
    from headgate.providers as p
    cross join lateral (values (p.name || '_high'), (p.name || '_normal'), (p.name || '_low')) as q (queue);
$func$;
