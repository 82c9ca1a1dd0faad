-- Where a request with an overlap begins: a number of sessions before its watermark, including the watermark's own; a
-- statement begins earlier by the time for which late commits are waited for.

create or replace function headgate._since(
    p_asset headgate.assets,
    p_state headgate.asset_processing_state
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when o.late_commits <> '0' then p_state.watermark - o.late_commits
        when o.overlap = 0 then p_state.watermark
        when p_asset.calendar is null then p_state.watermark - make_interval(days => o.overlap)
        else (
            select coalesce(min(n.session)::timestamp at time zone 'UTC', p_state.watermark)
            from (
                select t.session
                from headgate.trading_sessions as t
                where t.calendar = p_asset.calendar
                    and t.session <= (p_state.watermark at time zone 'UTC')::date
                order by t.session desc
                limit o.overlap
            ) as n
        )
    end
    from headgate.operations as o
    where o.operation_id = p_state.operation_id;
$func$;
