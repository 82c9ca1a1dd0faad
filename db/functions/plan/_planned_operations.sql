-- The operations of a run, each with its asset limit and chunk size (null: none).

create or replace function headgate._planned_operations(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_step text default null
)
returns table (operation_id bigint, max_assets integer, chunk_size integer)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    with lever as (
        select p.*, nullif(p_options.params -> p.name, 'null') as value
        from headgate.pipeline_parameters as p
        where p.pipeline_id = p_pipeline_id
    )
    select
        o.operation_id,
        min(l.value::integer) filter (where l.effect = 'max_assets'),
        least(
            min(o.chunk_size),
            min(greatest(1, l.value::integer)) filter (where l.effect = 'chunk_size' and l.value is not null),
            -- What may start in 15 seconds.
            min(greatest(1, least(
                r.requests_per_minute / 4, floor(15 / extract(epoch from r.crawl_delay))::integer
            ))) filter (where r.start_every is not null)
        )
    from headgate._graph(p_pipeline_id, p_options) as s
    join headgate.operations as o on o.name = any (s.operations)
    join headgate.providers as r using (provider_id)
    left join lever as l
        on l.effect in ('max_assets', 'chunk_size')
        and (l.operations is null or o.name = any (l.operations))
    where (p_step is null or s.step = p_step)
        and (p_options.operations is null or o.name = any (p_options.operations))
        and not exists (
            select
            from lever as m
            where m.effect = 'mode'
                and m.meanings ? (m.value #>> '{}')
                and not (m.meanings -> (m.value #>> '{}')) ? o.name
        )
    group by o.operation_id;
$func$;
