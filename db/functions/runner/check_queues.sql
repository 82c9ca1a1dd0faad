-- A runner with a misspelt queue name would wait forever without an error.

create or replace function headgate.check_queues(p_queues text[])
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_known constant text[] := array(select q.queue from headgate._queues() as q);
    v_unknown text;
begin
    select u.queue into v_unknown from unnest(p_queues) as u (queue) where u.queue <> all (v_known) limit 1;
    if found then
        perform headgate._raise(
            'HG008', format('unknown queue: %s', quote_literal(v_unknown)),
            headgate._known('known queues', v_unknown, v_known)
        );
    end if;
end;
$func$;

comment on function headgate.check_queues(text[]) is
    'Raise for a queue that no provider has; the hint names the closest.';
