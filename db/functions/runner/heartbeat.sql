-- A runner reports that it is alive, and checks sessions against their limits and other runners: leases of a killed
-- runner end at once instead of expiring. A late heartbeat alone proves nothing (the machine may be busy, or the
-- network slow): the runner's connection must be gone as well. A stopped process keeps its connection, and a pooled
-- connection outlives its runner: such leases expire as usual. Pool slots of the leases that ended are given to waiting
-- chunks.

create or replace function headgate.heartbeat(
    p_runner text,
    p_host text,
    p_pid integer,
    p_version text,
    p_figures jsonb default null
)
returns table (ended_leases integer, counts_due boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_at constant timestamptz := clock_timestamp();
begin
    insert into headgate.runners as r (
        runner, host, pid, version, started_at, last_seen_at, backend_pid, calls, connections_opened,
        connections_reused, memory, peak_memory, cpu_percent, disk_percent, measured_at
    )
    select
        p_runner, p_host, p_pid, p_version, v_at, v_at, pg_backend_pid(), f.calls, f.connections_opened,
        f.connections_reused, f.memory, f.peak_memory, f.cpu_percent, f.disk_percent,
        case when p_figures is not null then v_at end
    from jsonb_to_record(coalesce(p_figures, '{}')) as f (
        calls bigint, connections_opened bigint, connections_reused bigint, memory bigint, peak_memory bigint,
        cpu_percent double precision, disk_percent double precision
    )
    on conflict (runner) do update
    set last_seen_at = excluded.last_seen_at,
        backend_pid = excluded.backend_pid,
        calls = coalesce(excluded.calls, r.calls),
        connections_opened = coalesce(excluded.connections_opened, r.connections_opened),
        connections_reused = coalesce(excluded.connections_reused, r.connections_reused),
        memory = coalesce(excluded.memory, r.memory),
        peak_memory = coalesce(excluded.peak_memory, r.peak_memory),
        cpu_percent = coalesce(excluded.cpu_percent, r.cpu_percent),
        disk_percent = coalesce(excluded.disk_percent, r.disk_percent),
        measured_at = coalesce(excluded.measured_at, r.measured_at);
    perform headgate._end_sessions();
    ended_leases := headgate._end_leases_of_the_dead(100);
    perform headgate._wake_pools(array(select l.name from headgate.pools as l), headgate.clock());
    perform headgate._fold_counts();
    -- A runner that wakes settles them: a heartbeat must not lock steps behind pools.
    perform pg_notify('headgate_jobs', '') where exists (select from headgate._unsettled_steps());
    counts_due := headgate._are_counts_due();
    return next;
end;
$func$;

comment on function headgate.heartbeat(text, text, integer, text, jsonb) is
    'Record that a runner is alive, and its figures if given; end the leases of killed runners (returns how many) and '
    'sessions beyond their limits; counts_due: it is time for headgate.keep_counts.';

create or replace function headgate._end_leases_of_the_dead(p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks headgate.chunks[];
begin
    v_chunks := array(
        select c
        from headgate._dead_runners() as d
        join headgate.chunks as c using (runner)
        where c.state = 'leased'
            and c.leased_until > clock_timestamp()
        order by c.chunk_id
        limit p_limit
        for update of c skip locked
    );
    if v_chunks = '{}' then
        return 0;
    end if;

    update headgate.chunks as c
    set leased_until = clock_timestamp(),
        lost_reason = format('its runner %s is gone', c.runner)
    where c.chunk_id = any (array(select u.chunk_id from unnest(v_chunks) as u));
    perform headgate._put_back(u.queue, u.msg_id) from unnest(v_chunks) as u;
    perform pg_notify('headgate_jobs', '');
    return cardinality(v_chunks);
end;
$func$;

-- Silent runners whose connection is gone. After a restart of the server this briefly applies to all.
create or replace function headgate._dead_runners()
returns table (runner text)
language sql
volatile
rows 1
set search_path = pg_catalog, pg_temp
as $func$
    select r.runner
    from headgate.runners as r
    where r.last_seen_at < clock_timestamp() - interval '7 seconds'
        and pg_postmaster_start_time() < clock_timestamp() - interval '15 seconds'
        and not exists (
            select
            from pg_stat_activity as a
            where a.pid = r.backend_pid
                and a.application_name like 'headgate worker%'
        );
$func$;
