-- The due rule of symbol_list. The week is two hours short, because daily runs are not punctual.

create or replace function equities.list_due_at(
    p_asset_id bigint,
    p_watermark timestamptz,
    p_now timestamptz
)
returns timestamptz
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(p_watermark, p_now) + interval '7 days' - interval '2 hours';
$func$;

comment on function equities.list_due_at(bigint, timestamptz, timestamptz) is
    'When an exchange''s list of symbols is due: a week after the last one, or once the first history is loaded.';
