-- Overdue actions of runners, with driver headgate: ending a run at its deadline, beginning a step's retry, starting a
-- queued run.

create or replace function headgate._examine_waits()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select w.subject, 'warn', w.found || ', and no runner has done it', 'start a runner: headgate worker', false
    from (
        select
            format('execution %s of %s', e.run_id, p.name) as subject,
            format('it was to end by its deadline at %s', t.shown) as found
        from headgate.process_executions as e
        join headgate.pipelines as p using (pipeline_id)
        cross join lateral headgate._late(e.deadline_at) as t (shown)
        where e.status = 'running'
        union all
        select
            format('step %s of %s of %s', s.step, e.run_id, p.name), format('it was to be run again at %s', t.shown)
        from headgate.process_steps as s
        join headgate.process_executions as e using (execution_id)
        join headgate.pipelines as p using (pipeline_id)
        cross join lateral headgate._late(s.retry_at) as t (shown)
        where e.status = 'running'
            and s.status = 'pending'
        union all
        select
            format('queued run %s of %s', q.run_id, q.pipeline), format('it was to start at %s', t.shown)
        from headgate.v_queued_runs as q
        cross join lateral (
            select max(e.finished_at) as finished_at
            from headgate.process_executions as e
            join headgate.pipelines as p using (pipeline_id)
            where p.name = q.pipeline
        ) as l
        cross join lateral headgate._late(greatest(q.queued_at, l.finished_at)) as t (shown)
        where q.position = 1
            and q.reason = 'a runner starts it'
    ) as w;
$func$;

-- A time that passed more than five minutes ago, in words; no row: it did not.
create or replace function headgate._late(p_at timestamptz)
returns setof text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI UTC')
    where p_at < headgate.clock() - interval '5 minutes';
$func$;
