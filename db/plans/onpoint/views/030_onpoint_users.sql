-- The table onpoint.users under the name that its users know.

drop view if exists onpoint.onpoint_users cascade;

create view onpoint.onpoint_users as
select
    t.id,
    t.name,
    t.username,
    t.email,
    t.phone,
    t.website,
    t.city,
    t.company,
    t.etl_processed_at
from onpoint.users as t;

comment on view onpoint.onpoint_users is 'Users, the latest state of each.';
comment on column onpoint.onpoint_users.id is 'Their number.';
comment on column onpoint.onpoint_users.name is 'Their name.';
comment on column onpoint.onpoint_users.username is 'Their user name at the service.';
comment on column onpoint.onpoint_users.email is 'Their mail address, in lower case.';
comment on column onpoint.onpoint_users.phone is 'Their telephone number as they wrote it.';
comment on column onpoint.onpoint_users.website is 'Their web site.';
comment on column onpoint.onpoint_users.city is 'The city they live in.';
comment on column onpoint.onpoint_users.company is 'The company they work for.';
comment on column onpoint.onpoint_users.etl_processed_at is 'When a run last loaded them.';
