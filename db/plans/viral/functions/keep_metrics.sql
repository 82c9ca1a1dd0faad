-- Samples in Prometheus's text format: name{label="value",...} value. Comments and other lines are passed over; an
-- answer without any sample fails.

create or replace function viral.keep_metrics(
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
    with sample as (
        select distinct on (a.asset_id, m.name, m.labels) a.asset_id, s.code as service, m.*
        from unnest(p_answers) as a
        join headgate.v_assets as s using (asset_id)
        cross join lateral viral.read_samples(a.body) as m
        where a.status = 200
        order by a.asset_id, m.name, m.labels
    ),
    kept as (
        insert into viral.metrics (run_id, service, name, labels, value, measured_at)
        select p_context ->> 'run_id', s.service, s.name, s.labels, s.value, (p_context ->> 'now')::timestamptz
        from sample as s
        on conflict (run_id, service, name, labels) do update set
            value = excluded.value,
            measured_at = excluded.measured_at
    ),
    counted as (
        select
            a.asset_id, a.status,
            (select count(*) from sample as s where s.asset_id = a.asset_id)::integer as samples
        from unnest(p_answers) as a
    )
    select
        c.asset_id, case when c.samples > 0 then 'success' else 'failed' end, c.samples, null::timestamptz,
        case when c.samples = 0 then format('it has no metrics: answered %s', c.status) end
    from counted as c;
$func$;

comment on function viral.keep_metrics(jsonb, bigint[], headgate.answer[]) is
    'Ingest function of viral_metrics: the samples of each service.';
