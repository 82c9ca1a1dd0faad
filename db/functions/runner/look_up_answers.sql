-- A runner looks up answers to a chunk's requests before it makes them: `hit`, with the answer, unless the runner
-- already holds the answer of that time; `fetch`: the runner makes the request; `wait`: an equal request is in flight.
-- Of equal requests within the chunk, the first one is made. At most 8 MB of answers are returned at a time: the runner
-- calls again for the keys that are missing from the result. With `fetch` comes an older answer whose version the
-- request may name, if the operation revalidates. A null in p_held_at: the runner holds no answer to this
-- request.

create or replace function headgate.look_up_answers(
    p_runner text,
    p_chunk_id bigint,
    p_lease_no integer,
    p_asset_ids bigint[],
    p_keys text[],
    p_held_at double precision[]
)
returns table (key text, state text, answered_at double precision, answer text, payload text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
#variable_conflict use_column
declare
    v_now constant timestamptz := headgate.clock();
    v_chunk constant headgate.chunks := headgate._held_chunk(p_runner, p_chunk_id, p_lease_no);
    v_operation record;
    v_oldest timestamptz;
    v_missing text[];
    v_ours text[] := '{}';
begin
    select o.cache, o.revalidate into v_operation
    from headgate.operations as o
    where o.operation_id = v_chunk.operation_id;
    v_oldest := v_now - v_operation.cache;
    v_missing := headgate._not_cached(p_keys, v_oldest);
    if v_missing <> '{}' then
        v_ours := headgate._begin_fetches(v_chunk, v_missing, p_asset_ids, p_keys);
        -- An answer that was stored meanwhile is a hit after all.
        v_missing := headgate._not_cached(v_missing, v_oldest);
        if not v_ours <@ v_missing then
            delete from headgate.fetches as f where f.key = any (v_ours) and f.key <> all (v_missing);
        end if;
    end if;
    return query
    select
        m.key, case when m.key = any (v_ours) then 'fetch' else 'wait' end, null::double precision, s.answer::text,
        s.payload
    from unnest(v_missing) as m (key)
    left join headgate.cached_answers as s
        on v_operation.revalidate
        and s.key = m.key
        and m.key = any (v_ours)
        and s.answer -> 'headers' ?| array['etag', 'last-modified']
        and s.bytes <= 8388608 / cardinality(v_missing)
    union all
    select
        f.key, 'hit', f.at, case when not f.is_held then c.answer::text end, case when not f.is_held then c.payload end
    from (
        select h.key, h.at, h.is_held, sum(h.bytes) over (order by h.nth) - h.bytes as bytes_before
        from (
            select
                k.key, k.nth, a.at, coalesce(a.at = k.held_at, false) as is_held,
                case when a.at = k.held_at then 0 else c.bytes end as bytes
            from unnest(p_keys, p_held_at) with ordinality as k (key, held_at, nth)
            join headgate.cached_answers as c using (key)
            cross join lateral (select extract(epoch from c.answered_at)::double precision as at) as a
            where c.answered_at >= v_oldest
        ) as h
    ) as f
    join headgate.cached_answers as c using (key)
    where f.bytes_before < 8388608;
end;
$func$;

comment on function headgate.look_up_answers(text, bigint, integer, bigint[], text[], double precision[]) is
    'Cached answers to the requests of a leased chunk (hit), and which of the others this runner makes (fetch) or '
    'waits for, because an equal one is in flight (wait).';

create or replace function headgate._not_cached(
    p_keys text[],
    p_oldest timestamptz
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select distinct k.key
        from unnest(p_keys) as k (key)
        where not exists (
            select from headgate.cached_answers as c where c.key = k.key and c.answered_at >= p_oldest
        )
    );
$func$;

-- Record that a chunk makes these requests, except those that another lease is making. In key order, so that runners
-- wait for each other in one order.
create or replace function headgate._begin_fetches(
    p_chunk headgate.chunks,
    p_missing text[],
    p_asset_ids bigint[],
    p_keys text[]
)
returns text[]
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with ours as (
        insert into headgate.fetches as f (key, chunk_id, lease_no, asset_id)
        select m.key, p_chunk.chunk_id, p_chunk.lease_no, p_asset_ids[array_position(p_keys, m.key)]
        from unnest(p_missing) as m (key)
        order by m.key
        on conflict (key) do update
        set chunk_id = excluded.chunk_id, lease_no = excluded.lease_no, asset_id = excluded.asset_id
        where not exists (
            select
            from headgate.chunks as c
            where c.chunk_id = f.chunk_id
                and c.lease_no = f.lease_no
                and c.state = 'leased'
                and c.leased_until > clock_timestamp()
                and (f.chunk_id, f.asset_id) <> (excluded.chunk_id, excluded.asset_id)
        )
        returning f.key
    )
    select coalesce(array_agg(o.key), '{}') from ours as o;
$func$;
