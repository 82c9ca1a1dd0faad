-- Orders given in psql, taken by the scheduler's next run.

create table headgate.orders (
    order_id bigint generated always as identity,
    pipeline_id bigint not null references headgate.pipelines,
    params jsonb not null,
    ordered_at timestamptz not null,
    ordered_by text not null,
    announced_at timestamptz,
    execution_id bigint references headgate.process_executions on delete set null,
    taken_at timestamptz,
    constraint orders_pkey primary key (order_id),
    constraint taken_orders_know_when check (execution_id is null or taken_at is not null)
);

comment on table headgate.orders is 'An order: parameters for a run requested by headgate.trigger_pipeline.';
comment on column headgate.orders.order_id is 'Surrogate key; orders are taken in ascending order.';
comment on column headgate.orders.pipeline_id is 'The pipeline.';
comment on column headgate.orders.params is 'The run''s parameters, as given.';
comment on column headgate.orders.ordered_at is 'When it was ordered.';
comment on column headgate.orders.ordered_by is 'The database user who ordered it.';
comment on column headgate.orders.announced_at is 'When the scheduler was notified of it; null: not yet.';
comment on column headgate.orders.execution_id is 'The execution that took it.';
comment on column headgate.orders.taken_at is 'When it was taken; null: it is pending.';

create index orders_pending_idx on headgate.orders (pipeline_id, order_id) where taken_at is null;
comment on index headgate.orders_pending_idx is 'Finds a pipeline''s oldest pending order.';
create index orders_execution_idx on headgate.orders (execution_id) where execution_id is not null;
comment on index headgate.orders_execution_idx is 'Finds the orders of an execution, as its deletion does.';

create table headgate.queued_runs (
    queued_run_id bigint generated always as identity,
    pipeline_id bigint not null references headgate.pipelines,
    run_id text not null,
    logical_date timestamptz not null,
    is_backfill boolean not null default false,
    queued_at timestamptz not null,
    constraint queued_runs_pkey primary key (queued_run_id),
    constraint a_run_is_queued_once unique (pipeline_id, run_id)
);

comment on table headgate.queued_runs is
    'A run with driver headgate that starts when its pipeline is free: one after the other, back-fills last.';
comment on column headgate.queued_runs.queued_run_id is 'Surrogate key; a pipeline''s runs start in its order.';
comment on column headgate.queued_runs.pipeline_id is 'The pipeline.';
comment on column headgate.queued_runs.run_id is 'The run''s name.';
comment on column headgate.queued_runs.logical_date is 'The date that it is for.';
comment on column headgate.queued_runs.is_backfill is 'True: it is a back-fill, for a past date.';
comment on column headgate.queued_runs.queued_at is 'When it was queued.';

create index queued_runs_next_idx on headgate.queued_runs (pipeline_id, is_backfill, queued_run_id);
comment on index headgate.queued_runs_next_idx is 'Finds the run of a pipeline that starts next.';
