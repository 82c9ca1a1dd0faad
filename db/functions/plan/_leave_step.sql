-- A step is skipped by its rule or its condition. Jobs planned for it stay due, and their units are returned.

create or replace function headgate._leave_step(
    p_execution_id bigint,
    p_step text,
    p_skip_reason text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._end_chunks(
        array(
            select c.chunk_id
            from headgate.chunks as c
            where c.execution_id = p_execution_id
                and c.step = p_step
                and c.state = 'planned'
        ),
        'deferred', 'its step was skipped', p_now
    );
    update headgate.process_steps as s
    set status = 'skipped', skip_reason = p_skip_reason, is_rerun = false, started_at = coalesce(s.started_at, p_now),
        finished_at = headgate.clock()
    where s.execution_id = p_execution_id
        and s.step = p_step
        and s.status = 'pending';
    perform headgate._announce(p_execution_id);
end;
$func$;
