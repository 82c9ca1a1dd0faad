-- Operations that follow this one become due after its first success; operations computed from it, when rows changed.

create or replace function headgate._wake_dependents(
    p_operation headgate.operations,
    p_jobs headgate.job_result[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $func$
declare
    v_follower headgate.operations;
    v_is_fit boolean;
begin
    for v_follower in
        select * from headgate.operations as o
        where o.follows_operation_id = p_operation.operation_id
        order by o.operation_id
    loop
        v_is_fit := v_follower.due_rule = 'function' and headgate._is_plainly_fit(v_follower.due_function);
        update headgate.asset_processing_state as s
        set watermark = coalesce(j.watermark, s.watermark),
            next_due_at = case
                when s.chunk_id is not null then s.next_due_at
                when v_follower.due_rule = 'once' then case when s.succeeded_at is null then p_now end
                else headgate._next_due_at(
                    v_follower, s.asset_id, a.calendar, coalesce(j.watermark, s.watermark), p_now, null, v_is_fit
                )
            end
        from unnest(p_jobs) as j
        join headgate.assets as a using (asset_id)
        where j.result = 'success'
            and s.operation_id = v_follower.operation_id
            and s.asset_id = j.asset_id;
    end loop;
    perform headgate._wake_computed(p_operation, p_jobs, p_now);
end;
$func$;
