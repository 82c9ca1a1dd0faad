-- Lease fit chunks that their pools have room for and that are admitted; put the others back.

create or replace function headgate._grant(
    p_runner text,
    p_provider headgate.providers,
    p_fit headgate.chunks[],
    p_unfit headgate.chunks[],
    p_is_probe boolean,
    p_room integer,
    p_now timestamptz
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks;
    v_fit headgate.chunks[] := p_fit;
    v_passed record;
begin
    foreach v_chunk in array p_fit loop
        if v_chunk.pool is not null then
            v_fit := headgate._pass_pools(p_fit, p_now);
            exit;
        end if;
    end loop;
    if v_fit <> '{}' then
        select * into v_passed from headgate._admit(p_provider, v_fit, p_is_probe, p_room, p_now);
    else
        select '{}'::bigint[] as granted into v_passed;
    end if;
    perform headgate._put_back(c.queue, c.msg_id)
    from unnest(v_fit || p_unfit) as c
    where c.chunk_id <> all (v_passed.granted);
    if v_passed.granted <> '{}' then
        return query
        select *
        from headgate._lease(
            p_runner, p_provider, v_passed.granted, v_passed.starts_at, v_passed.starts, p_is_probe, p_now
        );
    end if;
end;
$func$;
