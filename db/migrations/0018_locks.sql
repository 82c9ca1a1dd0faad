-- Any login can take advisory locks, so planners, runners and operators are serialised by rows of a table that only the
-- owner may touch.

create table headgate.locks (
    name text not null,
    constraint locks_pkey primary key (name)
);

comment on table headgate.locks is
    'Locks: a transaction locks the row that names what it works on; rows are created when first needed.';
comment on column headgate.locks.name is
    'needs; advance, start, runs (shared by planners) and step of a pipeline_id; planner of a provider_id.';
