-- What a run's parameter may call a group: its key, or the value that its assets have for the parameter's attribute.

drop view if exists headgate._names cascade;

create view headgate._names as
select distinct a.universe, a.group_key, '' as attribute, a.group_key as name
from headgate.assets as a
union all
select distinct a.universe, a.group_key, p.attribute, a.attributes ->> p.attribute
from headgate.assets as a
cross join (
    select distinct m.meanings ->> 'attribute' as attribute
    from headgate.pipeline_parameters as m
    where m.effect = 'groups'
) as p
where a.attributes ->> p.attribute is not null;

comment on view headgate._names is 'The names of groups.';
comment on column headgate._names.universe is 'The universe of its assets.';
comment on column headgate._names.group_key is 'The group.';
comment on column headgate._names.attribute is 'The attribute whose value it is; empty: the name is the key.';
comment on column headgate._names.name is 'The name.';
