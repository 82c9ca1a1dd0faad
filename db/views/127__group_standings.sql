-- How each group's needs stand now, apart from their time: a need that has one is "not due yet" here.

drop view if exists headgate._group_standings cascade;

create view headgate._group_standings as
select
    s.operation_id,
    a.group_key,
    headgate._skipped_because(a.is_active, s, o, '-infinity') as standing,
    count(*) as assets
from headgate.asset_processing_state as s
join headgate.operations as o using (operation_id)
join headgate.assets as a using (asset_id)
where not o.is_retired
group by 1, 2, 3;

comment on view headgate._group_standings is 'How many assets of each group stand how, by operation.';
comment on column headgate._group_standings.operation_id is 'The operation.';
comment on column headgate._group_standings.group_key is 'The group.';
comment on column headgate._group_standings.standing is
    'Why nothing is done for them; "not due yet": they have a time.';
comment on column headgate._group_standings.assets is 'Assets that need it.';
