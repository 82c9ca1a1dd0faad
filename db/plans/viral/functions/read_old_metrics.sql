-- Samples of whole days that are more than 30 days old and in no file yet, day by day. A day that is in a file and not
-- deleted yet is not written again.

create or replace function viral.read_old_metrics(p_context jsonb, p_asset_ids bigint[])
returns table (
    asset_id bigint, run_id text, service text, name text, labels text, value double precision, measured_at timestamptz,
    day text
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select p_asset_ids[1], m.run_id, m.service, m.name, m.labels::text, m.value, m.measured_at, f.day
    from viral.metrics as m
    cross join lateral (
        select to_char(m.measured_at at time zone 'UTC', '"year="YYYY"/month="MM"/day="DD') as day
    ) as f
    where m.measured_at < viral.archived_before((p_context ->> 'now')::timestamptz)
        and f.day not in (select a.day from viral.archived_days() as a)
    order by f.day, m.measured_at, m.run_id, m.service, m.name, m.labels;
$func$;

comment on function viral.read_old_metrics(jsonb, bigint[]) is
    'Input function of viral_archive: samples of more than 30 days, in whole days that are in no file yet.';
