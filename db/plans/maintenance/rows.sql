-- Maintenance as rows: stored functions, which know no other plan.

insert into headgate.pipelines as p (name, description)
values ('headgate_maintenance', 'Retention, statistics, health; daily.')
on conflict (name) do update
set description = excluded.description;

delete from headgate.pipeline_steps as s
using headgate.pipelines as p
where p.pipeline_id = s.pipeline_id
    and p.name = 'headgate_maintenance';

insert into headgate.pipeline_steps (
    pipeline_id, step, position, kind, depends_on, trigger_rule, function, operations
)
select p.pipeline_id, s.step, s.position, s.kind, s.depends_on::text[], s.trigger_rule, s.function, s.operations::text[]
from headgate.pipelines as p
cross join (values
    (1, 'initialize_execution', 'function', '{}', 'all_success', 'headgate.start_execution', null),
    (2, 'maintain_history', 'function', '{initialize_execution}', 'all_success', 'headgate.maintain_history', null),
    (3, 'maintain_statistics', 'function', '{maintain_history}', 'all_success', 'headgate.maintain_statistics', null),
    (4, 'check_health', 'function', '{maintain_statistics}', 'all_done', 'headgate.check_health', null),
    (5, 'finalize_execution', 'function', '{check_health}', 'all_done', 'headgate.finalize_execution', null)
) as s (position, step, kind, depends_on, trigger_rule, function, operations)
where p.name = 'headgate_maintenance';

-- The calendars that assets go by are assets themselves: once a week their sessions are computed a year and a half ahead.
insert into headgate.operations as o (
    name, description, universe, provider_id, priority, due_rule, due_every, handler, ingest_function
)
select
    'trading_calendars', 'The sessions of a calendar, a year and a half ahead.', 'trading_calendars', p.provider_id, 2,
    'every', interval '7 days', 'runner.calendars:extend', 'headgate.ingest_sessions'
from headgate.providers as p
where p.name = 'local'
on conflict (name) do update
set description = excluded.description,
    due_every = excluded.due_every,
    handler = excluded.handler,
    ingest_function = excluded.ingest_function;

select u.inserted, u.updated, u.unchanged
from headgate.upsert_assets(
    p_universe => 'trading_calendars',
    p_assets => (
        select coalesce(jsonb_agg(distinct jsonb_build_object('code', a.calendar, 'group_key', 'calendar')), '[]')
        from headgate.assets as a
        where a.calendar is not null
    )
) as u;

insert into headgate.pipelines as p (name, description)
values ('trading_calendars', 'Compute the trading sessions to come; weekly.')
on conflict (name) do update
set description = excluded.description;

delete from headgate.pipeline_steps as s
using headgate.pipelines as p
where p.pipeline_id = s.pipeline_id
    and p.name = 'trading_calendars';

insert into headgate.pipeline_steps (pipeline_id, step, position, kind, depends_on, trigger_rule, function, operations)
select p.pipeline_id, s.step, s.position, s.kind, s.depends_on::text[], s.trigger_rule, s.function, s.operations::text[]
from headgate.pipelines as p
cross join (values
    (1, 'initialize_execution', 'function', '{}', 'all_success', 'headgate.start_execution', null),
    (2, 'extend_calendars', 'fan_out', '{initialize_execution}', 'all_success', null, '{trading_calendars}'),
    (3, 'finalize_execution', 'function', '{extend_calendars}', 'all_done', 'headgate.finalize_execution', null)
) as s (position, step, kind, depends_on, trigger_rule, function, operations)
where p.name = 'trading_calendars';
