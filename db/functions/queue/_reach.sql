-- Locked chunks that can be claimed: fit to be leased, or not.

create or replace function headgate._reach(
    p_provider headgate.providers,
    p_queues text[],
    p_max_chunks integer,
    p_now timestamptz,
    out is_probe boolean,
    out fit headgate.chunks[],
    out unfit headgate.chunks[]
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    select o.is_probe into is_probe from headgate._availability(p_provider, p_now) as o where o.is_flowing;
    if found then
        select t.fit, t.unfit into fit, unfit
        from headgate._take_messages(p_provider, p_queues, case when is_probe then 1 else p_max_chunks end, p_now) as t;
    else
        fit := '{}';
        unfit := '{}';
    end if;
end;
$func$;
