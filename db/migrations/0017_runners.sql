-- Runners register, so that the leases of a killed one end at once.

create table headgate.runners (
    runner text not null,
    host text not null,
    pid integer not null,
    version text not null,
    started_at timestamptz not null,
    last_seen_at timestamptz not null,
    backend_pid integer not null,
    calls bigint,
    connections_opened bigint,
    connections_reused bigint,
    memory bigint,
    peak_memory bigint,
    cpu_percent double precision,
    disk_percent double precision,
    measured_at timestamptz,
    constraint runners_pkey primary key (runner),
    constraint seen_after_it_started check (last_seen_at >= started_at)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

comment on table headgate.runners is 'A runner that is alive, or was killed lately; one that shut down has no row.';
comment on column headgate.runners.runner is 'Its name, as in chunks.runner.';
comment on column headgate.runners.host is 'The machine it runs on.';
comment on column headgate.runners.pid is 'Its process there.';
comment on column headgate.runners.version is 'Its version of Headgate.';
comment on column headgate.runners.started_at is 'When it started, real time.';
comment on column headgate.runners.last_seen_at is 'Its last heartbeat, real time.';
comment on column headgate.runners.backend_pid is
    'The server process of the connection that brought the heartbeat; it ends when the runner is killed.';
comment on column headgate.runners.calls is 'Requests that it has made; null, like all figures: it sent none.';
comment on column headgate.runners.connections_opened is 'Requests for which it opened a connection.';
comment on column headgate.runners.connections_reused is 'Requests that went over a connection that was open.';
comment on column headgate.runners.memory is 'Memory of its process, in bytes.';
comment on column headgate.runners.peak_memory is 'Peak memory of its process, in bytes.';
comment on column headgate.runners.cpu_percent is
    'Processor time of its process since the previous figures, in percent of one core.';
comment on column headgate.runners.disk_percent is 'How full the disk of its working folder is, in percent.';
comment on column headgate.runners.measured_at is 'When it sent these figures, real time; null: never.';
