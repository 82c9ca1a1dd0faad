create or replace function headgate._reset_asset(
    p_asset_id bigint,
    p_operations text[] default null
)
returns table (reset integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_operation_ids bigint[];
begin
    if not exists (select from headgate.assets as a where a.asset_id = p_asset_id) then
        perform headgate._raise('HG009', format('unknown asset: %s', p_asset_id), 'headgate.v_assets lists them');
    end if;
    if p_operations is not null then
        v_operation_ids := array(
            select (headgate._operation(n.name)).operation_id from unnest(p_operations) as n (name)
        );
    end if;

    with wanted as (
        select s.operation_id, s.asset_id, l.asset_id is null as is_open
        from headgate.asset_processing_state as s
        join headgate.operations as o using (operation_id)
        left join headgate.asset_processing_state as l  -- the operation it follows, if that has never succeeded
            on l.operation_id = o.follows_operation_id and l.asset_id = s.asset_id and l.succeeded_at is null
        where s.asset_id = p_asset_id
            and (v_operation_ids is null or s.operation_id = any (v_operation_ids))
        order by s.operation_id
        for update of s
    )
    update headgate.asset_processing_state as s
    set reprocess_requested_at = v_now,
        next_due_at = case when w.is_open then least(s.next_due_at, v_now) else s.next_due_at end,
        source_snapshot = null,
        cursor = null,
        etag = null,
        last_modified = null,
        attempts = 0,
        consecutive_failures = 0,
        bulk_misses = 0,
        alone_until = null,
        last_error = null
    from wanted as w
    where s.operation_id = w.operation_id
        and s.asset_id = w.asset_id;
    get diagnostics reset = row_count;
    perform headgate._record_action(
        'reset_asset', jsonb_build_object('asset_id', p_asset_id, 'operations', p_operations),
        jsonb_build_object('reset', reset)
    );
    return next;
end;
$func$;
