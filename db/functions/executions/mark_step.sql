-- An operator sets the outcome of a step: its unstarted work is cancelled, and the steps that depend on it continue.

create or replace function headgate.mark_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_status text
)
returns table (cancelled integer, reopened integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    if coalesce(p_status, '') not in ('succeeded', 'skipped', 'failed') then
        perform headgate._raise(
            'HG008', format('a step cannot be marked %s', coalesce(quote_literal(p_status), 'null')),
            'succeeded, skipped or failed'
        );
    end if;
    select m.cancelled, m.reopened into cancelled, reopened
    from headgate._mark_step(p_pipeline, p_run_id, p_step, p_status) as m;
    perform headgate._record_action(
        'mark_step', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step, 'status', p_status),
        jsonb_build_object('cancelled', cancelled, 'reopened', reopened)
    );
    return next;
end;
$func$;

comment on function headgate.mark_step(text, text, text, text) is
    'Set a step''s outcome to succeeded, failed or skipped: its unstarted work is cancelled, and steps skipped behind '
    'it run if that allows it; returns jobs and steps.';
