-- For each operation of the pipeline whose answers are cached: the share of hits in its last 20 runs. Those without any
-- are missing. A plan reserves the units of every request all the same.

create or replace function headgate._hit_ratios(p_pipeline_id bigint)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(o.operation_id, c.ratio) filter (where c.ratio is not null), '{}')
    from headgate.operations as o
    cross join lateral headgate._recent_hits(o.operation_id) as r
    cross join lateral (select round(r.hits / nullif(r.hits + r.misses, 0), 4) as ratio) as c
    where o.cache is not null
        and exists (
            select
            from headgate.pipeline_steps as s
            where s.pipeline_id = p_pipeline_id
                and o.name = any (s.operations)
        );
$func$;
