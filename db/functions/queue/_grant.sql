-- Lease fit chunks that are admitted; put the others back.

create or replace function headgate._grant(
    p_runner text,
    p_provider headgate.providers,
    p_fit headgate.chunks[],
    p_unfit headgate.chunks[],
    p_is_probe boolean,
    p_now timestamptz
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_passed record;
begin
    if p_fit <> '{}' then
        select * into v_passed from headgate._admit(p_provider, p_fit, p_is_probe, p_now);
    else
        select '{}'::bigint[] as granted into v_passed;
    end if;
    perform headgate._put_back(c.queue, c.msg_id)
    from unnest(p_fit || p_unfit) as c
    where c.chunk_id <> all (v_passed.granted);
    if v_passed.granted <> '{}' then
        return query
        select * from headgate._lease(p_runner, p_provider, v_passed.granted, v_passed.starts_at, p_is_probe, p_now);
    end if;
end;
$func$;
