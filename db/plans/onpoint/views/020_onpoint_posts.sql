-- The table onpoint.posts under the name that its users know.

drop view if exists onpoint.onpoint_posts cascade;

create view onpoint.onpoint_posts as
select
    t.id,
    t.user_id,
    t.title,
    t.body,
    t.etl_processed_at
from onpoint.posts as t;

comment on view onpoint.onpoint_posts is 'Posts, the latest state of each.';
comment on column onpoint.onpoint_posts.id is 'Its number.';
comment on column onpoint.onpoint_posts.user_id is 'The user who wrote it.';
comment on column onpoint.onpoint_posts.title is 'Its title.';
comment on column onpoint.onpoint_posts.body is 'Its text.';
comment on column onpoint.onpoint_posts.etl_processed_at is 'When a run last loaded it.';
