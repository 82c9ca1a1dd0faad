-- The outputs of reported jobs: what their operation declares of an answer, or what a handler returned. A job fails if
-- its output is too large, before anything of its answer is stored.

create or replace function headgate._judge_outputs(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_values jsonb[],
    p_answers text[],
    p_outcomes text[],
    p_faults text[],
    p_errors text[],
    out outcomes text[],
    out faults text[],
    out errors text[],
    out outputs jsonb[]
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with given as (
        select
            u.*,
            case
                when u.nth <> array_position(p_asset_ids, u.asset_id) then null
                when p_operation.handler is not null then u.answer::jsonb
                when u.value is not null then headgate._output(p_operation.outputs, u.value)
            end as output
        from unnest(p_asset_ids, p_outcomes, p_faults, p_errors, p_values, p_answers) with ordinality
            as u (asset_id, outcome, fault, error, value, answer, nth)
    ),
    counted as (
        select
            g.*,
            octet_length(g.output::text) as bytes,
            k.outputs + count(g.output) over w as so_many,
            k.bytes + sum(octet_length(g.output::text)) over w as so_large
        from given as g
        cross join (
            select count(*) as outputs, coalesce(sum(octet_length(o.output::text)), 0) as bytes
            from headgate.job_outputs as o
            where o.execution_id = p_chunk.execution_id
                and o.step = p_chunk.step
                and o.asset_id <> all (p_asset_ids)
        ) as k
        window w as (order by g.nth)
    ),
    judged as (
        select
            c.*,
            case
                when c.output is null then null
                when c.bytes > 1048576 then format('its output has %s bytes, and may have 1048576', c.bytes)
                when c.so_large > 1048576
                    then format('the outputs of step %s have more than 1048576 bytes together', p_chunk.step)
                when c.so_many > 1000 then format('step %s has outputs of more than 1000 assets', p_chunk.step)
            end as excess
        from counted as c
    )
    select
        array_agg(case when j.excess is not null then 'failed' else j.outcome end order by j.nth),
        array_agg(case when j.excess is not null then 'item' else j.fault end order by j.nth),
        array_agg(coalesce(j.excess, j.error) order by j.nth),
        array_agg(case when j.excess is null then j.output end order by j.nth)
    from judged as j;
$func$;

-- A path that finds nothing gives null.
create or replace function headgate._output(
    p_outputs jsonb,
    p_answer jsonb
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_object_agg(o.name, jsonb_path_query_first(p_answer, o.path::jsonpath, '{}', true))
    from jsonb_each_text(p_outputs) as o (name, path);
$func$;
