-- Where bars that came again show that the past was restated, nothing of them was written: the whole history is asked
-- for, unless that is under way already.

create or replace function equities._reload_restated(
    p_results headgate.ingest_result[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_restated constant bigint[] := array(
        select r.asset_id
        from unnest(p_results) as r
        where r.status = 'skipped'
            and not exists (
                select
                from headgate.v_asset_states as s
                where s.asset_id = r.asset_id
                    and s.operation = 'prices_historical'
                    and s.is_held
            )
        order by r.asset_id
    );
begin
    if v_restated <> '{}' then
        perform headgate.ask_again(
            'prices_historical', v_restated, array_fill(p_now, array[cardinality(v_restated)])
        );
    end if;
end;
$func$;

comment on function equities._reload_restated(headgate.ingest_result[], timestamptz) is
    'Ask for the whole histories of listings whose past was restated.';
