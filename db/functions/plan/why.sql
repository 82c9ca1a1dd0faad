-- The short name of explain_asset_day.

create or replace function headgate.why(
    p_asset text,
    p_on date,
    p_universe text default null
)
returns table (
    operation text, pipeline text, run_id text, decision text, outcome text, reason text, units integer, evidence jsonb,
    decided_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select * from headgate.explain_asset_day(p_asset, p_on, p_universe);
$func$;

comment on function headgate.why(text, date, text) is 'Short for headgate.explain_asset_day.';
