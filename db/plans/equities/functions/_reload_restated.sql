-- Nothing is written of answers that show that the past was restated: the whole history is requested, unless it was
-- already being loaded when the bars were compared. That load may have ended since.

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
    'Request the whole histories of listings whose past was restated.';

-- Listings whose histories are being loaded. Read them before the bars are compared, so that a load that ends in
-- between is not requested again.
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

comment on function equities._held_histories(bigint[]) is 'Listings whose whole history is being loaded.';
