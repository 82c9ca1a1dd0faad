-- Lease admitted chunks: each gets a new token and its requests.

create or replace function headgate._lease(
    p_runner text,
    p_provider headgate.providers,
    p_chunk_ids bigint[],
    p_starts_at timestamptz[],
    p_starts integer[],
    p_is_probe boolean,
    p_now timestamptz
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks;
    v_operation headgate.operations;
    v_window_opened_at timestamptz;
    v_window_closes_at timestamptz;
    v_execution_id bigint;
    v_pipeline text;
    v_run_id text;
    v_params jsonb;
    v_steps text[];
    v_requests record;
    v_nth integer;
    v_in_flight integer;  -- the runner's share of the calls at once
begin
    if p_provider.quota is not null then
        select w.opened_at, w.closes_at
        into v_window_opened_at, v_window_closes_at
        from headgate._window_at(p_provider, p_now) as w;
    end if;
    for v_chunk in
        update headgate.chunks as c
        set state = 'leased',
            lease_no = c.lease_no + 1,
            runner = p_runner,
            leased_until = clock_timestamp() + o.lease,
            lease_expirations = c.lease_expirations + case when c.state = 'leased' then 1 else 0 end,
            charged_units = c.charged_units + case when c.state = 'leased' then headgate._unit_price(c) else 0 end,
            request_count = c.request_count + case when c.state = 'leased' then least(1, c.calls) else 0 end,
            window_opened_at = case when c.units > 0 then v_window_opened_at end
        from headgate.operations as o
        where c.chunk_id = any (p_chunk_ids)
            and o.operation_id = c.call_operation_id
        returning c.*
    loop
        if v_chunk.call_operation_id is distinct from v_operation.operation_id then
            select * into v_operation
            from headgate.operations as o
            where o.operation_id = v_chunk.call_operation_id;
            v_steps := headgate._named_steps(v_operation, p_provider);
        end if;
        if v_chunk.execution_id is distinct from v_execution_id
            or v_operation.is_call and v_params is null
        then
            select
                p.name as pipeline, e.run_id,
                case
                    when v_operation.is_call
                        then e.params || jsonb_build_object('?run', headgate._run_object(e))
                end
            into v_pipeline, v_run_id, v_params
            from headgate.process_executions as e
            join headgate.pipelines as p using (pipeline_id)
            where e.execution_id = v_chunk.execution_id;
            v_execution_id := v_chunk.execution_id;
        end if;
        select * into v_requests from headgate._requests(
            v_chunk, v_operation, p_provider,
            case
                when v_steps = '{}' then v_params
                else v_params || headgate._outputs_of(v_chunk.execution_id, v_steps)
            end
        );
        if v_operation.lease <> interval '300 seconds' then
            perform pgmq.set_vt(v_chunk.queue, v_chunk.msg_id, v_chunk.leased_until);
        end if;

        if v_operation.is_call and v_in_flight is null then
            select s.calls into v_in_flight from headgate._share_of_calls(p_provider) as s;
        end if;
        v_nth := array_position(p_chunk_ids, v_chunk.chunk_id);
        return next row(
            v_chunk.chunk_id, v_chunk.lease_no, extract(epoch from v_operation.lease)::integer,
            v_pipeline, v_run_id, v_chunk.step, p_provider.name, v_operation.name,
            case
                when v_operation.is_call then headgate._call(
                    v_operation, p_provider, v_requests.refused, v_requests.fault, v_requests.headers is not null,
                    p_is_probe
                        or exists (select from headgate.breakers as k where k.probe_chunk_id = v_chunk.chunk_id),
                    v_in_flight,
                    headgate._stop_before(p_provider, v_operation.lease, v_window_closes_at, p_now),
                    headgate._schedule(p_provider, p_starts_at[v_nth], p_starts[v_nth], p_now)
                )
                when v_operation.handler is not null then headgate._handling(v_chunk, v_operation, p_now)
                else '{}'
            end,
            v_operation.handler, v_chunk.asset_ids, v_requests.assets, v_requests.urls, v_requests.bodies,
            v_chunk.attempt, null, v_requests.headers
        )::headgate.claimed_chunk;
    end loop;
end;
$func$;

-- Seconds after which no call of the lease may start: the end of the lease, or the moments before the window's reset.
create or replace function headgate._stop_before(
    p_provider headgate.providers,
    p_lease interval,
    p_closes_at timestamptz,
    p_now timestamptz
)
returns integer
language sql
stable
as $func$
    select floor(extract(epoch from least(
        p_lease,
        case when p_provider.quota is not null then p_closes_at - p_provider.reset_guard - p_now end
    )))::integer;
$func$;

-- When a chunk's calls may start: the first one, in seconds after the runner's request (asked_at, real time), then one
-- per interval, as many as are granted (old runners take them for all); up to a burst may start late. Null: as soon as
-- there is room.
create or replace function headgate._schedule(
    p_provider headgate.providers,
    p_starts_at timestamptz,
    p_starts integer,
    p_now timestamptz
)
returns jsonb
language sql
stable
as $func$
    select case
        when p_starts_at is not null then jsonb_build_object(
            'asked_at', extract(epoch from statement_timestamp()),
            'start_in', extract(epoch from p_starts_at - p_now),
            'every', extract(epoch from p_provider.start_every),
            'burst', p_provider.starts_at_once,
            'starts', p_starts
        )
    end;
$func$;

-- How many calls a runner may have in flight: the provider's, divided by the runners that hold chunks of it. They are
-- counted among its first chunks, because a lease touches no index. If over 1,000 of these are leased, others may be
-- leased behind them, and every runner that has sent a heartbeat lately counts: too small a share does no harm.
-- Inlined (no pinned path).
create or replace function headgate._share_of_calls(p_provider headgate.providers)
returns table (calls integer)
language sql
stable
as $func$
    select greatest(1, p_provider.max_in_flight / greatest(
        1,
        count(distinct c.runner) filter (where c.state = 'leased'),
        case
            when count(*) filter (where c.state = 'leased') > 1000
                then (
                    select count(*)
                    from headgate.runners as r
                    where r.last_seen_at > clock_timestamp() - interval '1 minute'
                )
        end
    ))::integer
    from unnest(array['_high', '_normal', '_low']) as u (urgency)
    cross join lateral (
        select f.runner, f.state
        from headgate.chunks as f
        where f.queue = p_provider.name || u.urgency
            and f.msg_id is not null
        order by f.msg_id
        limit 2000
    ) as c;
$func$;
