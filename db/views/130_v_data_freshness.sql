-- How fresh the data of each group is. The clock is read once.

drop view if exists headgate.v_data_freshness cascade;

create view headgate.v_data_freshness as
select
    o.name as operation,
    n.group_key,
    count(*) as assets,
    count(*) filter (where n.has_data and not (n.is_failing or n.is_due and o.due_rule <> 'run')) as fresh,
    count(*) filter (where n.has_data and (n.is_failing or n.is_due and o.due_rule <> 'run')) as stale,
    count(*) filter (where not n.has_data) as never,
    min(n.watermark) as oldest_watermark
from (
    select
        s.operation_id,
        a.group_key,
        s.watermark,
        s.succeeded_at is not null or s.watermark is not null as has_data,
        coalesce(s.next_due_at <= (select headgate.clock()), false) as is_due,
        s.consecutive_failures > 0 as is_failing
    from headgate.asset_processing_state as s
    join headgate.assets as a using (asset_id)
    where a.is_active
) as n
join headgate.operations as o using (operation_id)
where not o.is_retired
group by o.name, n.group_key
order by o.name, n.group_key;

comment on view headgate.v_data_freshness is
    'How fresh the data of active assets is, by operation and group.';
comment on column headgate.v_data_freshness.operation is 'The operation.';
comment on column headgate.v_data_freshness.group_key is 'The group.';
comment on column headgate.v_data_freshness.assets is 'Assets that need it.';
comment on column headgate.v_data_freshness.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate.v_data_freshness.stale is 'Assets that have it and are due, or fail.';
comment on column headgate.v_data_freshness.never is 'Assets that never had it.';
comment on column headgate.v_data_freshness.oldest_watermark is
    'How far the data of the most outdated asset reaches.';
