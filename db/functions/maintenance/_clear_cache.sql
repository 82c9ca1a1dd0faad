-- Delete cached answers that have expired, and requests whose lease has ended.

create or replace function headgate._clear_cache()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    delete from headgate.fetches as f
    where not exists (
        select
        from headgate.chunks as c
        where c.chunk_id = f.chunk_id
            and c.lease_no = f.lease_no
            and c.state = 'leased'
    );
    update headgate.cache_size as z
    set bytes = greatest(0, z.bytes + d.change)
    from (
        select headgate._delete_cached(array(
            select c.key from headgate.cached_answers as c where c.expires_at < headgate.clock() for update skip locked
        )) as change
        offset 0
    ) as d
    where d.change < 0;
$func$;
