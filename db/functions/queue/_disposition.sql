-- What to do with a chunk that nobody holds: fit (lease it), step_ended, paused, unknown, poison, split, no_quota
-- or breaker_open.

create or replace function headgate._disposition(
    p_chunk headgate.chunks,
    p_now timestamptz
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_standing constant text := headgate._standing(p_chunk);
begin
    return case
        when v_standing <> 'running' then v_standing
        when p_chunk.state = 'leased' and headgate._is_sent_once(p_chunk.call_operation_id) then 'unknown'
        when p_chunk.state = 'leased' and p_chunk.lease_expirations >= 1
            and case
                when p_chunk.is_bulk then headgate._is_asked_alone(p_chunk.operation_id)
                else cardinality(p_chunk.asset_ids) > 1
            end
            then 'split'
        when p_chunk.state = 'leased' and p_chunk.lease_expirations >= case when p_chunk.is_bulk then 1 else 2 end
            then 'poison'
        when p_chunk.state = 'leased' and not headgate._can_charge_again(p_chunk, p_now) then 'no_quota'
        when p_chunk.units > 0
            and p_chunk.window_opened_at is distinct from (
                select w.opened_at
                from headgate.providers as p
                cross join lateral headgate._window_at(p, p_now) as w
                where p.provider_id = p_chunk.provider_id
            )
            and headgate._unaffordable(array[p_chunk.chunk_id], p_now) <> '{}'
            then 'no_quota'
        when headgate._is_blocked(p_chunk.call_operation_id, p_now) then 'breaker_open'
        else 'fit'
    end;
end;
$func$;

create or replace function headgate._can_charge_again(
    p_chunk headgate.chunks,
    p_now timestamptz
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(p_chunk.units <= b.units_left, true)
    from headgate.providers as p
    cross join lateral headgate._budget(p, p_now, null) as b
    where p.provider_id = p_chunk.provider_id;
$func$;

-- Whether a need can be served by a call for one asset.
create or replace function headgate._is_asked_alone(p_operation_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(o.path, o.statement, o.handler, o.ingest_function) is not null
    from headgate.operations as o
    where o.operation_id = p_operation_id;
$func$;
