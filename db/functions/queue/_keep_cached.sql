-- Store the answers of successful requests for equal requests, and wake the jobs that wait for them. Cached answers
-- with which a job did not succeed are deleted, so that the next request is made.

create or replace function headgate._keep_cached(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_payloads text[],
    p_answers text[],
    p_cached bigint[],
    p_job_results headgate.job_result[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_most constant bigint := (
        select (s.value #>> '{}')::bigint from headgate.settings as s where s.name = 'cache_bytes'
    );
    v_keys text[];
    v_places integer[];
    v_useless text[];
    v_change bigint;
begin
    perform headgate._count_cached(p_chunk, p_cached, p_job_results);
    with ended as (
        select f.key, f.asset_id
        from headgate.fetches as f
        where f.chunk_id = p_chunk.chunk_id
            and f.lease_no = p_chunk.lease_no
            and f.asset_id = any (p_asset_ids)
        order by f.key
        for update
    ),
    gone as (
        delete from headgate.fetches as f using ended as e where f.key = e.key
    )
    select array_agg(e.key order by e.key), array_agg(u.nth order by e.key)
    into v_keys, v_places
    from ended as e
    join unnest(p_job_results) as r using (asset_id)
    cross join lateral (select array_position(p_asset_ids, e.asset_id) as nth) as u
    where r.result = 'success'
        and p_answers[u.nth] is not null
        and octet_length(p_payloads[u.nth]) <= v_most / 8;
    v_useless := array(
        select p_answers[array_position(p_asset_ids, r.asset_id)]::jsonb ->> 'key'
        from unnest(p_job_results) as r
        where r.from_cache
            and r.result not in ('success', 'skipped')
    );
    if v_keys is null and v_useless = '{}' then
        return;
    end if;

    v_change := headgate._delete_cached(v_keys || v_useless);
    with added as (
        insert into headgate.cached_answers (key, operation_id, payload, answer, bytes, answered_at, expires_at)
        select
            k.key, p_operation.operation_id, p_payloads[k.nth], a.answer,
            octet_length(p_payloads[k.nth]) + octet_length(a.answer::text), p_now,
            p_now + p_operation.cache + case when p_operation.revalidate then interval '30 days' else '0' end
        from unnest(v_keys, v_places) as k (key, nth)
        cross join lateral (select p_answers[k.nth]::jsonb - 'duration_ms' as answer offset 0) as a
        order by k.key
        on conflict (key) do nothing
        returning bytes
    )
    select v_change + coalesce(sum(a.bytes), 0) into v_change from added as a;
    perform headgate._bound_cache(v_change, v_most, p_now);
end;
$func$;

create or replace function headgate._count_cached(
    p_chunk headgate.chunks,
    p_cached bigint[],
    p_job_results headgate.job_result[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.cache_counts as c (operation_id, execution_id, hits, misses, coalesced)
    select
        p_chunk.operation_id, p_chunk.execution_id, n.hits, n.misses,
        case when p_chunk.park_reason = headgate._equal_request() then n.hits else 0 end
    from (
        select
            coalesce(cardinality(p_cached), 0) as hits,
            count(*) filter (where not r.from_cache is true and r.request_count > p_chunk.request_count) as misses
        from unnest(p_job_results) as r
    ) as n
    where n.hits + n.misses > 0
    on conflict (operation_id, execution_id) do update
    set hits = c.hits + excluded.hits,
        misses = c.misses + excluded.misses,
        coalesced = c.coalesced + excluded.coalesced;
$func$;
