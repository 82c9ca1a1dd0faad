-- Operations: when they are due, what they cost, and the state of their calls.

drop view if exists headgate.v_operations cascade;

create view headgate.v_operations as
select
    o.name as operation,
    o.description,
    o.universe,
    p.name as provider,
    case
        when o.path is not null then 'call'
        when o.statement is not null then 'query'
        when o.handler is not null then 'handler'
        else 'sql'
    end as kind,
    case o.due_rule
        when 'every' then 'every ' || headgate.in_words(o.due_every)
        when 'after' then format('after %s', (
            select string_agg(i.name, ', ' order by i.name)
            from headgate.operation_inputs as n
            join headgate.operations as i on i.operation_id = n.input_operation_id
            where n.operation_id = o.operation_id
        ))
        when 'function' then format('function %s', o.due_function)
        else o.due_rule
    end as due,
    n.name as serves,
    o.units,
    o.priority,
    o.bundle,
    o.max_attempts,
    o.max_wait,
    array(
        select l.name
        from headgate.pipelines as l
        where exists (
            select
            from headgate.pipeline_steps as s
            where s.pipeline_id = l.pipeline_id
                and (o.name = any (s.operations) or n.name = any (s.operations))
        )
        order by l.name
    ) as pipelines,
    h.state,
    h.blocked_until,
    h.failures as breaker_failures,
    h.reason as breaker_reason
from headgate.operations as o
join headgate.providers as p using (provider_id)
left join headgate.operations as n on n.operation_id = o.bulk_call_of_operation_id
left join headgate.v_operation_health as h on h.operation = o.name
order by o.name;

comment on view headgate.v_operations is
    'Operations: kinds of work on one asset, and the calls that serve many assets at once.';
comment on column headgate.v_operations.operation is 'Its name.';
comment on column headgate.v_operations.description is 'Its description.';
comment on column headgate.v_operations.universe is 'The universe whose assets need it.';
comment on column headgate.v_operations.provider is 'The provider it calls; local: none.';
comment on column headgate.v_operations.kind is
    'call: an HTTP request; query: a statement to a database; handler: a Python function computes; sql: its ingest '
    'function does all the work.';
comment on column headgate.v_operations.due is 'Its due rule: once, run, every, session, after or function.';
comment on column headgate.v_operations.serves is 'The need that it serves by one call for many assets; null: its own.';
comment on column headgate.v_operations.units is 'Units the provider charges for one call.';
comment on column headgate.v_operations.priority is '1 is most urgent, 9 least.';
comment on column headgate.v_operations.bundle is
    'Operations of one bundle are granted to an asset together or not at all.';
comment on column headgate.v_operations.max_attempts is 'Attempts before a job that fails by its own fault is failed.';
comment on column headgate.v_operations.max_wait is
    'How long a job may be parked before it is deferred to the next execution.';
comment on column headgate.v_operations.pipelines is 'The pipelines whose steps run it.';
comment on column headgate.v_operations.state is
    'Its own breaker: flowing, blocked or probing; null: it makes no call.';
comment on column headgate.v_operations.blocked_until is 'No call is, or was, made before; null: calls flow.';
comment on column headgate.v_operations.breaker_failures is
    'Consecutive failures of its calls, which open its breaker; null: it makes no call.';
comment on column headgate.v_operations.breaker_reason is 'Why it is, or was, blocked.';
