create or replace function headgate.skip_step(
    p_pipeline text,
    p_run_id text,
    p_step text
)
returns table (cancelled integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    cancelled := (headgate._mark_step(p_pipeline, p_run_id, p_step, 'skipped')).cancelled;
    perform headgate._record_action(
        'skip_step', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step),
        jsonb_build_object('cancelled', cancelled)
    );
    return next;
end;
$func$;

comment on function headgate.skip_step(text, text, text) is
    'Skip a step: its unstarted work is cancelled, and steps that depend on it count it as passed; returns how many '
    'jobs.';
