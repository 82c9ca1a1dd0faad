create or replace function headgate._wake_computed(
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
    v_dependent_ids constant bigint[] := array(
        select i.operation_id from headgate.operation_inputs as i where i.input_operation_id = p_operation.operation_id
    );
begin
    if v_dependent_ids = '{}' then
        return;
    end if;
    with changed as (
        select s.operation_id, s.asset_id
        from unnest(p_jobs) as j
        join headgate.asset_processing_state as s on s.asset_id = j.asset_id
        where j.result = 'success'
            and j.records > 0
            and s.operation_id = any (v_dependent_ids)
        order by s.operation_id, s.asset_id
        for update of s
    )
    update headgate.asset_processing_state as s
    set input_changed_at = p_now,
        next_due_at = least(s.next_due_at, p_now)
    from changed as c
    where s.operation_id = c.operation_id
        and s.asset_id = c.asset_id;
end;
$func$;
