-- Keeps what each service answered. A required one that is unhealthy fails its job, so that a retry asks it again.

create or replace function viral.keep_health(
    p_context jsonb,
    p_asset_ids bigint[],
    p_answers headgate.answer[]
)
returns setof headgate.ingest_result
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with kept as (
        insert into viral.health_answers (run_id, asset_id, status, duration_ms, body, answered_at)
        select p_context ->> 'run_id', a.asset_id, a.status, a.duration_ms, a.body, (p_context ->> 'now')::timestamptz
        from unnest(p_answers) as a
        on conflict (run_id, asset_id) do update
        set status = excluded.status,
            duration_ms = excluded.duration_ms,
            body = excluded.body,
            answered_at = excluded.answered_at
    )
    select
        a.asset_id, case when s.group_key = 'required' and h.status = 'unhealthy' then 'failed' else 'success' end, 1,
        null::timestamptz, case when h.status <> 'healthy' then format('%s is %s', s.code, h.status) end
    from unnest(p_answers) as a
    join headgate.v_assets as s using (asset_id)
    cross join lateral (select viral.service_status(a.status, a.body) as status) as h;
$func$;

comment on function viral.keep_health(jsonb, bigint[], headgate.answer[]) is
    'Ingest function of viral_health: each service''s last answer in the run.';
