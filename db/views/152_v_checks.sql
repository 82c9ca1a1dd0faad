-- Checks, each with its last result, that of its worst subject.

drop view if exists headgate.v_checks cascade;

create view headgate.v_checks as
select
    c.name,
    c.pipeline,
    c.kind,
    c.relation,
    c.description,
    c.severity,
    c.warn_if,
    c.error_if,
    c.hold_for,
    l.checked_at,
    l.status,
    l.value,
    l.message,
    l.failing_since,
    c.function
from headgate.checks as c
left join lateral (
    select r.*
    from headgate.check_results as r
    where r.name = c.name
        and r.checked_at = (
            select max(n.checked_at) from headgate.check_results as n where n.name = c.name
        )
    order by array_position('{errored,failed,warned,passed}', r.status), r.result_id desc
    limit 1
) as l on true;

comment on view headgate.v_checks is 'Checks of the plans'' data, and their last results.';
comment on column headgate.v_checks.name is 'Its name.';
comment on column headgate.v_checks.pipeline is 'The pipeline in whose runs it runs; null: in the maintenance.';
comment on column headgate.v_checks.kind is
    'row_count, not_null, unique, accepted_values, relationships, freshness, or query.';
comment on column headgate.v_checks.relation is 'The table or view; null: a query of the plan''s.';
comment on column headgate.v_checks.description is 'What it is about.';
comment on column headgate.v_checks.severity is 'error or warn.';
comment on column headgate.v_checks.warn_if is 'The comparison by which a value warns.';
comment on column headgate.v_checks.error_if is 'The comparison by which a value fails, with severity error.';
comment on column headgate.v_checks.hold_for is 'How long it must not pass before an alert is raised; null: no alert.';
comment on column headgate.v_checks.checked_at is 'When it last ran; null: never.';
comment on column headgate.v_checks.status is 'passed, warned, failed or errored; of several subjects the worst.';
comment on column headgate.v_checks.value is
    'Its value: failing rows, or what its plan computes; seconds for freshness.';
comment on column headgate.v_checks.message is 'What is wrong; null: it passed.';
comment on column headgate.v_checks.failing_since is 'Since when it has not passed.';
comment on column headgate.v_checks.function is 'The function to call for its value and failing rows.';
