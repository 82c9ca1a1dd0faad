-- The table onpoint.comments under the name that its users know.

drop view if exists onpoint.onpoint_comments cascade;

create view onpoint.onpoint_comments as
select
    t.id,
    t.post_id,
    t.name,
    t.email,
    t.body,
    t.etl_processed_at
from onpoint.comments as t;

comment on view onpoint.onpoint_comments is 'Comments, the latest state of each.';
comment on column onpoint.onpoint_comments.id is 'Its number.';
comment on column onpoint.onpoint_comments.post_id is 'The post that it comments on.';
comment on column onpoint.onpoint_comments.name is 'Its title.';
comment on column onpoint.onpoint_comments.email is 'The author''s mail address, in lower case.';
comment on column onpoint.onpoint_comments.body is 'Its text.';
comment on column onpoint.onpoint_comments.etl_processed_at is 'When a run last loaded it.';
