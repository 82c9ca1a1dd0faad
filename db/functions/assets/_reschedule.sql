-- Recompute when each free pair of an operation is due, after its rule has changed or the operation has returned.
-- Failing pairs keep their due time, unless failures exclude nothing.
create or replace function headgate._reschedule(p_operation headgate.operations)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.asset_processing_state as s
    set next_due_at = d.due_at
    from (
        select
            n.asset_id,
            case
                when n.reprocess_requested_at > coalesce(n.succeeded_at, '-infinity') then n.reprocess_requested_at
                when p_operation.follows_operation_id is not null and not exists (
                    select
                    from headgate.asset_processing_state as f
                    where f.operation_id = p_operation.follows_operation_id
                        and f.asset_id = n.asset_id
                        and (f.succeeded_at is not null or f.watermark is not null)
                ) then null
                when p_operation.due_rule = 'after'
                    then case
                        when n.input_changed_at > coalesce(n.succeeded_at, '-infinity') then n.input_changed_at
                    end
                when p_operation.due_rule = 'function'
                    then headgate._next_due_at(p_operation, n.asset_id, a.calendar, n.watermark, c.now, n.succeeded_at)
                when n.succeeded_at is null and n.watermark is null then coalesce(n.next_due_at, c.now)
                else headgate._next_due_at(
                    p_operation, n.asset_id, a.calendar, n.watermark,
                    case p_operation.due_rule
                        when 'every' then coalesce(n.succeeded_at, c.now - p_operation.due_every)
                        else c.now
                    end,
                    n.succeeded_at
                )
            end as due_at
        from headgate.asset_processing_state as n
        join headgate.assets as a using (asset_id)
        cross join (select headgate.clock() as now) as c
        where n.operation_id = p_operation.operation_id
            and n.chunk_id is null
            and (n.consecutive_failures = 0 or p_operation.due_rule = 'run')
    ) as d
    where s.operation_id = p_operation.operation_id
        and s.asset_id = d.asset_id
        and s.next_due_at is distinct from d.due_at;
$func$;
