-- Runners register, so that the leases of a killed one end at once.

create table headgate.runners (
    runner text not null,
    host text not null,
    pid integer not null,
    version text not null,
    started_at timestamptz not null,
    last_seen_at timestamptz not null,
    backend_pid integer not null,
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
