-- Keep the outputs of jobs that have ended, in place of those of an earlier round; p_outputs are empty if none has one.

create or replace function headgate._keep_outputs(
    p_chunk headgate.chunks,
    p_asset_ids bigint[],
    p_outputs jsonb[],
    p_job_results headgate.job_result[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with ended as materialized (
        select
            r.asset_id,
            case when p_outputs <> '{}' then p_outputs[array_position(p_asset_ids, r.asset_id)] end as output
        from unnest(p_job_results) as r
        where r.result in ('success', 'failed', 'skipped')
    ),
    gone as (
        delete from headgate.job_outputs as o
        using ended as e
        where o.execution_id = p_chunk.execution_id
            and o.step = p_chunk.step
            and o.asset_id = e.asset_id
            and e.output is null
    )
    insert into headgate.job_outputs as o (execution_id, step, asset_id, output, is_only)
    select p_chunk.execution_id, p_chunk.step, e.asset_id, e.output, headgate._is_only_asset(p_chunk)
    from ended as e
    where e.output is not null
    order by e.asset_id
    on conflict (execution_id, step, asset_id) do update
    set output = excluded.output,
        is_only = excluded.is_only;
$func$;

-- Whether the chunk's step has outputs of this asset alone.
create or replace function headgate._is_only_asset(p_chunk headgate.chunks)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select cardinality(p_chunk.asset_ids) = 1 and not exists (
        select
        from headgate.process_steps as s
        join headgate.operations as o on o.name = any (s.operations)
        join headgate.assets as a on a.universe = o.universe
        where s.execution_id = p_chunk.execution_id
            and s.step = p_chunk.step
            and (o.outputs is not null or o.handler is not null)
            and a.asset_id <> p_chunk.asset_ids[1]
            and a.is_active
            and (s.group_keys is null or a.group_key = any (s.group_keys))
    );
$func$;
