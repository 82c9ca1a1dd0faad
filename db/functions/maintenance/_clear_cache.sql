-- Delete cached answers that have expired, and requests whose lease has ended.

create or replace function headgate._clear_cache()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_freed bigint;
begin
    delete from headgate.fetches as f
    where not exists (
        select
        from headgate.chunks as c
        where c.chunk_id = f.chunk_id
            and c.lease_no = f.lease_no
            and c.state = 'leased'
    );
    with gone as (
        delete from headgate.cached_answers as c
        where c.key = any (array(
            select c.key
            from headgate.cached_answers as c
            where c.expires_at < headgate.clock()
            for update skip locked
        ))
        returning c.bytes
    )
    select coalesce(sum(g.bytes), 0) into v_freed from gone as g;
    update headgate.cache_size as z set bytes = greatest(0, z.bytes - v_freed) where v_freed > 0;
end;
$func$;
