-- Delete the changes that a job has exported in its commit, so that no other job exports them: those that its read had
-- seen. Changes that were committed since, however early they were written, stay for the next job. Of a slot, where the
-- job's read has ended is kept, because the slot itself cannot move with this commit.

create or replace function headgate._forget_changes(
    p_operation headgate.operations,
    p_job_results headgate.job_result[],
    p_position text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if not exists (select from unnest(p_job_results) as r where r.result = 'success') then
        return;
    elsif p_position is null then
        perform headgate._raise(
            'HG008', format('operation %s does not say up to where it has read changes', p_operation.name),
            'its handler is to read its stream to the end'
        );
    elsif p_position like '%/%' then
        update headgate.change_slots as c
        set position = greatest(c.position, p_position::pg_lsn),
            exported_at = headgate.clock()
        where c.operation = p_operation.name
            and c.position is not null;
        return;
    elsif to_regclass(format('headgate_changes.%I', p_operation.name)) is null then
        return;  -- it has a slot since
    end if;
    execute format('delete from headgate_changes.%I as c where pg_visible_in_snapshot(c.xid, $1)', p_operation.name)
    using p_position::pg_snapshot;
end;
$func$;
