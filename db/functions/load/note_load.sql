-- Record rows that were loaded from a file rather than by a runner, so that the planner does not request them again.

create or replace function headgate.note_load(
    p_operation text,
    p_asset_ids bigint[],
    p_records integer[],
    p_watermarks timestamptz[]
)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_operation constant headgate.operations := headgate._operation(p_operation);
    v_is_fit constant boolean := v_operation.due_rule = 'function'
        and headgate._is_plainly_fit(v_operation.due_function);
    v_free integer;
    v_jobs headgate.job_result[];
begin
    select count(*) filter (where l.chunk_id is null)
    into v_free
    from (
        select s.chunk_id
        from headgate.asset_processing_state as s
        where s.operation_id = v_operation.operation_id
            and s.asset_id = any (p_asset_ids)
        order by s.asset_id
        for update
    ) as l;
    if v_free <> cardinality(p_asset_ids)
        or v_free <> cardinality(p_records)
        or v_free <> cardinality(p_watermarks)
    then
        perform headgate._raise(
            'HG008',
            format('%s of %s assets can take a load for %s', v_free, cardinality(p_asset_ids), p_operation),
            'the others are not in its universe, are listed twice, or have work in flight: wait, or cancel the '
            'execution'
        );
    end if;

    update headgate.asset_processing_state as s
    set watermark = greatest(s.watermark, l.watermark),
        succeeded_at = v_now,
        attempts = 0,
        consecutive_failures = 0,
        last_error = null,
        next_due_at = case
            when v_operation.due_rule = 'every' then v_now + v_operation.due_every
            when v_operation.due_rule = 'run' then v_now
            when v_operation.due_rule in ('session', 'function') then headgate._next_due_at(
                v_operation, s.asset_id, a.calendar, greatest(s.watermark, l.watermark), v_now, null, v_is_fit
            )
        end
    from unnest(p_asset_ids, p_watermarks) as l (asset_id, watermark)
    join headgate.assets as a using (asset_id)
    where s.operation_id = v_operation.operation_id
        and s.asset_id = l.asset_id;

    v_jobs := array(
        select row(
            l.asset_id, 'success', null, null, 0, 0, l.records, l.watermark, 0, 1, null, null, 0, 0, null, false
        )::headgate.job_result
        from unnest(p_asset_ids, p_records, p_watermarks) as l (asset_id, records, watermark)
    );
    perform headgate._wake_dependents(v_operation, v_jobs, v_now);
    return v_free;
end;
$func$;

comment on function headgate.note_load(text, bigint[], integer[], timestamptz[]) is
    'Note that an operation''s rows were loaded from a file: set state and watermarks as after a success, and make '
    'operations that compute from the rows due.';
