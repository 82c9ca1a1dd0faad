-- What is due, most urgent first, from its index. Inlined (no pinned path), because its rows are many.

create or replace function headgate._due_pairs(
    p_operation_ids bigint[],
    p_at timestamptz,
    p_limit bigint default null
)
returns table (
    operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz, missing_from date
)
language sql
stable
rows 1000
as $func$
    -- Keys come in order, so a limit stops as soon as it is reached.
    select d.operation_id, d.asset_id, d.priority, d.next_due_at, d.missing_from
    from (
        select o.operation_id, p.priority::smallint as priority
        from headgate.operations as o
        cross join generate_series(o.priority * 10, o.priority * 10 + 9) as p (priority)
        where o.operation_id = any (p_operation_ids)
        order by 2, 1  -- the same expressions as the outer order by, which avoids a second sort
    ) as k
    cross join lateral (
        select s.operation_id, s.asset_id, s.priority, s.next_due_at, headgate._missing_from(s, p_at) as missing_from
        from headgate.asset_processing_state as s
        where s.operation_id = k.operation_id
            and s.priority = k.priority
            and s.next_due_at <= p_at
            and s.chunk_id is null
        order by s.next_due_at
        limit p_limit
    ) as d
    order by k.priority, k.operation_id
    limit p_limit;
$func$;
