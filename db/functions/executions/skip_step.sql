-- Leave a step out. Steps that depend on it go on as if it had passed or, with p_behind, as after any skipped step.

create or replace function headgate.skip_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_behind boolean default false
)
returns table (cancelled integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    cancelled := (headgate._mark_step(
        p_pipeline, p_run_id, p_step, 'skipped', case when p_behind then 'operator_behind' else 'operator' end
    )).cancelled;
    perform headgate._record_action(
        'skip_step',
        jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step)
        || case when p_behind then '{"behind": true}' else '{}' end::jsonb,
        jsonb_build_object('cancelled', cancelled)
    );
    return next;
end;
$func$;

comment on function headgate.skip_step(text, text, text, boolean) is
    'Skip a step: its unstarted work is cancelled; returns how many jobs. Steps that depend on it count it as passed; '
    'with p_behind as skipped, so that most are skipped, too.';
