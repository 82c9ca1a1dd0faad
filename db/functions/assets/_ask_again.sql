create or replace function headgate._ask_again(
    p_operation text,
    p_asset_ids bigint[],
    p_due_at timestamptz[]
)
returns table (asked integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_operation constant headgate.operations := headgate._operation(p_operation);
begin
    with wanted as (
        select
            s.asset_id,
            case
                -- A chunk that holds the pair answers requests made before it was planned, not later ones.
                when c.chunk_id is null or greatest(s.reprocess_requested_at, s.input_changed_at) > c.planned_at
                    then least(s.next_due_at, u.due_at)
                else u.due_at
            end as due_at
        from unnest(p_asset_ids, p_due_at) as u (asset_id, due_at)
        join headgate.asset_processing_state as s
            on s.operation_id = v_operation.operation_id and s.asset_id = u.asset_id
        left join headgate.chunks as c on c.chunk_id = s.chunk_id
        order by s.asset_id
        for update of s
    )
    update headgate.asset_processing_state as s
    set input_changed_at = v_now,
        next_due_at = w.due_at
    from wanted as w
    where s.operation_id = v_operation.operation_id
        and s.asset_id = w.asset_id;
    get diagnostics asked = row_count;
    return next;
end;
$func$;
