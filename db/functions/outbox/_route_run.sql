-- The end of an execution goes to its channels in the same transaction.

create or replace function headgate._route_run()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline text;
    v_channels text[];
begin
    select p.name, array_agg(distinct t.channel)
    into v_pipeline, v_channels
    from headgate.pipelines as p
    join headgate.routes as t
        on t.event = 'run'
        and p.name like coalesce(t.pipeline, '%')
        and new.status = any (coalesce(t.statuses, array[new.status]))
    where p.pipeline_id = new.pipeline_id
        and not headgate._is_of_the_outbox(p.pipeline_id)
    group by p.name;
    perform headgate._notify(
        c.channel,
        format('%s %s: run %s', v_pipeline, new.status, new.run_id),
        headgate._text_of_run(new, v_pipeline),
        format('run %s %s', new.execution_id, extract(epoch from new.finished_at))
    )
    from unnest(v_channels) as c (channel);
    return null;
end;
$func$;

-- The summary that a reader needs first: which run, what went wrong, why, when, and what to do.
create or replace function headgate._text_of_run(
    p_execution headgate.process_executions,
    p_pipeline text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select concat_ws(
        chr(10),
        'DAG: ' || coalesce(p_execution.dag, p_pipeline),
        'Run: ' || p_execution.run_id,
        'Date: ' || to_char(p_execution.logical_date at time zone 'UTC', 'YYYY-MM-DD'),
        format(
            'Status: %s%s, at %s UTC, after %s s', p_execution.status,
            case when p_execution.deadline_at <= p_execution.finished_at then ', over its deadline' end,
            to_char(p_execution.finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
            round(extract(epoch from p_execution.finished_at - p_execution.started_at))
        ),
        (
            select string_agg(
                format(
                    'Failed task: %s, at %s UTC: %s', s.step,
                    to_char(s.finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                    coalesce(left(headgate._error_of_step(p_execution, s), 1000), 'no error is known')
                ),
                chr(10) order by s.position
            )
            from headgate.process_steps as s
            where s.execution_id = p_execution.execution_id
                and (s.status = 'failed' or s.is_late)
        ),
        case when p_execution.status <> 'succeeded' then format(
            'What to do: headgate status %1$s --pipeline %2$s shows it, headgate retry %1$s --pipeline %2$s goes on '
            'with it',
            headgate._shell_word(p_execution.run_id), headgate._shell_word(p_pipeline)
        ) end
    );
$func$;

create or replace function headgate._error_of_step(
    p_execution headgate.process_executions,
    p_step headgate.process_steps
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        p_step.output ->> 'error',
        (
            select coalesce(d.error, d.reason)
            from headgate.asset_processing_details as d
            where d.execution_id = p_execution.execution_id
                and d.step = p_step.step
                and d.ended_at >= p_execution.started_at
                and (d.status = 'failed' or headgate._is_fault(d.reason))
            order by d.status <> 'failed', d.ended_at
            limit 1
        )
    );
$func$;

create or replace function headgate._shell_word(p_text text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_text ~ '^[A-Za-z0-9_.:+@-]+$' then p_text
        else '''' || replace(p_text, '''', '''\''''') || ''''
    end;
$func$;

create or replace trigger end_is_routed
    after update of status on headgate.process_executions
    for each row when (old.finished_at is null and new.finished_at is not null)
    execute function headgate._route_run();
comment on trigger end_is_routed on headgate.process_executions is
    'Sends the end of an execution to the channels of its routes.';
