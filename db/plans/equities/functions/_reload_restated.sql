-- Where bars that came again show that the past was restated, nothing of them was written: the whole history is asked
-- for, unless that was under way already when they were compared. It may have ended since.

create or replace function equities._reload_restated(
    p_results headgate.ingest_result[],
    p_held bigint[],
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
            and r.asset_id <> all (p_held)
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

comment on function equities._reload_restated(headgate.ingest_result[], bigint[], timestamptz) is
    'Ask for the whole histories of listings whose past was restated.';

-- Whose histories are under way. Ask before the bars are compared: what ends in between is not asked for once more.
create or replace function equities._held_histories(p_asset_ids bigint[])
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select s.asset_id
        from headgate.v_asset_states as s
        where s.asset_id = any (p_asset_ids)
            and s.operation = 'prices_historical'
            and s.is_held
    );
$func$;

comment on function equities._held_histories(bigint[]) is
    'Listings whose whole history is being loaded.';
