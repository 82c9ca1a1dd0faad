-- Alerts for runs of a scheduler's DAGs: failed and late runs raise alerts, which the next success resolves. The DAG
-- need not run a pipeline: any DAG with our notifier can report itself.

create or replace function headgate.alert_run(
    p_dag text,
    p_run_id text,
    p_state text,
    p_tasks jsonb default '[]'
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_dag constant text := 'DAG ' || left(p_dag, 250);
    v_late constant text := v_dag || ' is late';
    v_tasks constant text := left(
        (select string_agg(t.name, ', ') from jsonb_array_elements_text(p_tasks) as t (name)), 500
    );
begin
    if coalesce(p_dag, '') = '' or coalesce(p_run_id, '') = '' then
        perform headgate._raise('HG008', 'p_dag and p_run_id are required', 'name the DAG and the run');
    elsif coalesce(p_state, '') not in ('success', 'failed', 'late') then
        perform headgate._raise(
            'HG008', format('unknown state of a run: %s', coalesce(quote_literal(p_state), 'null')),
            'success, failed or late'
        );
    end if;

    perform headgate._set_alert(
        v_late,
        'warning',
        format('run %s is late: see its tasks and headgate.v_waiting', left(p_run_id, 250)),
        p_state = 'late',
        v_now
    );
    if p_state <> 'late' then
        perform headgate._set_alert(
            v_dag, 'error',
            format('run %s has failed', left(p_run_id, 250)) || coalesce(': ' || nullif(v_tasks, ''), '')
            || '; the last line of such a task''s log says why',
            p_state = 'failed', v_now
        );
    end if;
end;
$func$;

comment on function headgate.alert_run(text, text, text, jsonb) is
    'Raise or resolve the alerts of a DAG by its run: success, failed (with its failed tasks) or late.';
