-- What declared rows imply: breakers, queues per provider, and a state for each need of these universes; null: of all.

create or replace function headgate._open_implied(p_universes text[] default null)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._open_breakers();
    perform pgmq.create(q.queue)
    from headgate.providers as p
    cross join lateral (values (p.name || '_high'), (p.name || '_normal'), (p.name || '_low')) as q (queue)
    where not exists (select from pgmq.meta as m where m.queue_name = q.queue);
    perform headgate._tune_queues();
    perform headgate._open_needs(p_universes);
end;
$func$;
