-- The house-keeping as rows: stored functions, and one call that asks the equities provider for its own count of units.

insert into headgate.pipelines as p (name, description)
values ('headgate_maintenance', 'Retention, statistics, the provider''s own count of units, health; daily.')
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
    (4, 'reconcile_quota', 'fan_out', '{initialize_execution}', 'all_success', null, '{account_usage}'),
    (5, 'check_health', 'function', '{maintain_statistics,reconcile_quota}', 'all_done', 'headgate.check_health', null),
    (6, 'finalize_execution', 'function', '{check_health}', 'all_done', 'headgate.finalize_execution', null)
) as s (position, step, kind, depends_on, trigger_rule, function, operations)
where p.name = 'headgate_maintenance';
