-- Stores each service's answer, in the commit that ends its job.

create or replace function freshpoc.keep_answer(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with answered as (
        select a.asset_id, s.code, coalesce(s.attributes ->> 'base_url', '') as asked,
            case when a.payload is json then a.payload::jsonb else to_jsonb(coalesce(a.payload, '')) end as answer
        from unnest(p_asset_ids, p_payloads) as a (asset_id, payload)
        join headgate.v_assets as s using (asset_id)
    ),
    kept as (
        insert into freshpoc.answers as k (run_id, step, service, asked, answer, answered_at)
        select
            p_context ->> 'run_id', p_context ->> 'step', a.code, a.asked, a.answer,
            (p_context ->> 'now')::timestamptz
        from answered as a
        on conflict (run_id, step, service) do update
        set asked = excluded.asked,
            answer = excluded.answer,
            answered_at = excluded.answered_at
    )
    select a.asset_id, 'success', 1, null::timestamptz, null::text
    from answered as a;
$func$;

comment on function freshpoc.keep_answer(jsonb, bigint[], text[]) is
    'Ingest function of freshpoc''s calls: stores the services'' answers.';
