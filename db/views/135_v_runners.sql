-- Runners, and what each of them holds.

drop view if exists headgate.v_runners cascade;

create view headgate.v_runners as
select
    r.runner,
    r.host,
    r.pid,
    r.version,
    r.started_at,
    r.last_seen_at,
    coalesce(c.leases, 0)::integer as leases,
    coalesce(c.jobs, 0)::integer as jobs,
    r.calls,
    r.connections_opened,
    r.connections_reused,
    r.memory,
    r.peak_memory,
    r.cpu_percent,
    r.disk_percent
from headgate.runners as r
left join (
    select c.runner, count(*) as leases, sum(cardinality(c.asset_ids)) as jobs
    from headgate.chunks as c
    where c.state = 'leased'
    group by c.runner
) as c using (runner)
order by r.last_seen_at desc, r.runner;

comment on view headgate.v_runners is
    'Runners that are alive, and those killed lately (their heartbeat is more than some seconds old).';
comment on column headgate.v_runners.runner is 'The runner''s name.';
comment on column headgate.v_runners.host is 'The machine it runs on.';
comment on column headgate.v_runners.pid is 'Its process there.';
comment on column headgate.v_runners.version is 'Its version of Headgate.';
comment on column headgate.v_runners.started_at is 'When it began.';
comment on column headgate.v_runners.last_seen_at is 'Its last heartbeat; one is sent every five seconds.';
comment on column headgate.v_runners.leases is 'Chunks it holds.';
comment on column headgate.v_runners.jobs is 'Jobs in them.';
comment on column headgate.v_runners.calls is
    'Requests that it has made. This and the next figures are at most a quarter of a minute old; null: not reported.';
comment on column headgate.v_runners.connections_opened is 'Requests for which it opened a connection.';
comment on column headgate.v_runners.connections_reused is 'Requests that went over a connection that was open.';
comment on column headgate.v_runners.memory is 'Memory of its process in bytes, without handlers'' processes.';
comment on column headgate.v_runners.peak_memory is 'Peak memory of its process, in bytes.';
comment on column headgate.v_runners.cpu_percent is
    'Processor time of its process in the last quarter of a minute, in percent of one core.';
comment on column headgate.v_runners.disk_percent is 'How full the disk of its working folder is, in percent.';
