-- Whether a runner holds this chunk.

create or replace function headgate._is_leased(p_chunk_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.chunks as c
        where c.chunk_id = p_chunk_id
            and c.state = 'leased'
            and c.leased_until > clock_timestamp()
    );
$func$;
