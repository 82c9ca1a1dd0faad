-- Channels whose notices are late or were not delivered.

create or replace function headgate._examine_channels()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'channel ' || n.channel, 'warn',
        concat_ws(
            ', ',
            nullif(count(*) filter (where n.status = 'waiting'), 0) || ' notices wait',
            nullif(count(*) filter (where n.status = 'failed'), 0) || ' failed',
            nullif(count(*) filter (where n.status = 'unknown'), 0) || ' may not have got there'
        ) || coalesce(
            '; last: ' || left((array_agg(n.error order by n.tried_at desc nulls last, n.asset_id desc))[1], 300), ''
        ),
        'headgate.v_notices shows them; once the channel works, headgate.reset_asset(p_asset_id) has one sent again',
        false
    from headgate.v_notices as n
    where n.status in ('failed', 'unknown')
        or n.status = 'waiting' and n.written_at < headgate.clock() - interval '15 minutes'
    group by n.channel;
$func$;
