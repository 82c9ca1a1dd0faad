-- After a restore: notices that waited when the backup was taken may have been sent since. Those whose receiver
-- recognizes no key are not sent again; all others are, under their old keys.

create or replace function headgate.hold_notices()
returns table (held integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate.cancel_execution(p.name, e.run_id)
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.status in ('running', 'paused')
        and headgate._is_of_the_outbox(p.pipeline_id);
    update headgate.asset_processing_state as s
    set next_due_at = null,
        last_error = 'internal: unknown whether it was sent: it waited when the backup was taken'
    from headgate.operations as o
    where o.operation_id = s.operation_id
        and o.universe = any (headgate._outbox())
        and o.delivery = 'at_most_once'
        and s.next_due_at is not null;
    get diagnostics held = row_count;
    return next;
end;
$func$;

comment on function headgate.hold_notices() is
    'After a restore: hold back waiting notices that may have been sent since; returns how many.';
