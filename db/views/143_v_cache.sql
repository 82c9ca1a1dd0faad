-- What the answer cache and freshness save: a pair of the due rule every that is not due yet in a run saves a call.

drop view if exists headgate.v_cache cascade;

create view headgate.v_cache as
select
    o.name as operation,
    n.hits,
    n.misses,
    round(n.hits::numeric / nullif(n.hits + n.misses, 0), 4) as hit_ratio,
    coalesce(c.coalesced, 0)::bigint as coalesced,
    coalesce(b.bytes, 0)::bigint as bytes
from headgate.operations as o
left join (
    select k.operation_id, sum(k.hits) as hits, sum(k.misses) as misses, sum(k.coalesced) as coalesced
    from headgate.cache_counts as k
    group by k.operation_id
) as c using (operation_id)
left join (
    select a.operation_id, sum(a.bytes) as bytes from headgate.cached_answers as a group by a.operation_id
) as b using (operation_id)
left join lateral (
    select sum(greatest(0, p.pairs - s.planned)) as spared, sum(s.planned) as made
    from (
        select count(*) as pairs from headgate.asset_processing_state as t where t.operation_id = o.operation_id
    ) as p
    join headgate.pipeline_steps as g on g.operations = array[o.name] and g.group_keys is null
    join headgate.process_executions as e using (pipeline_id)
    join headgate.process_steps as s
        on s.execution_id = e.execution_id
        and s.step = g.step
        and s.status in ('succeeded', 'failed')
    where o.due_rule = 'every'
        and o.is_call
) as f on true
cross join lateral (
    select
        (coalesce(c.hits, 0) + coalesce(f.spared, 0))::bigint as hits,
        coalesce(c.misses, case when o.cache is null then f.made end, 0)::bigint as misses
) as n
where o.cache is not null
    or c.operation_id is not null
    or o.due_rule = 'every' and o.is_call
order by o.name;

comment on view headgate.v_cache is
    'Operations whose answers are cached, or whose due rule is every: how many calls were saved, over the runs that '
    'history keeps.';
comment on column headgate.v_cache.operation is 'The operation.';
comment on column headgate.v_cache.hits is
    'Jobs served by the cache; for the due rule every also the pairs that were not due yet, by today''s number of '
    'pairs.';
comment on column headgate.v_cache.misses is 'Jobs for which a request was made.';
comment on column headgate.v_cache.hit_ratio is 'The share of hits; null: there was neither.';
comment on column headgate.v_cache.coalesced is 'Hits that had waited for an equal request in flight.';
comment on column headgate.v_cache.bytes is 'Size of the cached answers of its jobs.';
