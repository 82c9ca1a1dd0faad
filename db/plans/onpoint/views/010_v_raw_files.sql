-- What a run crawled, listed by file name.

drop view if exists onpoint.v_raw_files cascade;

create view onpoint.v_raw_files as
select
    d.run_id,
    d.name || '.json' as file,
    jsonb_array_length(d.document) as records,
    octet_length(d.document::text) as bytes,
    d.crawled_at
from onpoint.raw_documents as d
union all
select
    s.run_id,
    'hackernews_stories.json',
    count(*)::integer,
    sum(octet_length(s.item::text))::integer,
    max(s.crawled_at)
from onpoint.raw_stories as s
group by s.run_id;

comment on view onpoint.v_raw_files is 'The crawled data sets of each run, one row for each.';
comment on column onpoint.v_raw_files.run_id is 'The run.';
comment on column onpoint.v_raw_files.file is 'The data set''s name as a file.';
comment on column onpoint.v_raw_files.records is 'Number of its records.';
comment on column onpoint.v_raw_files.bytes is 'Its length as JSON, in bytes.';
comment on column onpoint.v_raw_files.crawled_at is 'When its last record was stored.';
