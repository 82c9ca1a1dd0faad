-- Statistics of processing the run's records, by data set: records received, duplicates, rows kept, and null values.
-- The processed records themselves are returned by onpoint.processed_posts and its counterparts.

create or replace function onpoint.process_data(p_pipeline text, p_run_id text)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object('partition', (
        select to_char(
            (d.document #>> '{run,logical_date}')::timestamptz at time zone 'UTC',
            '"year="YYYY"/month="MM"/day="DD"/hour="HH24'
        )
        from headgate.v_run_documents as d
        where d.pipeline = p_pipeline
            and d.run_id = p_run_id
    )) || jsonb_object_agg(f.data_set, jsonb_build_object(
        'records', coalesce(r.records, 0),
        'rows', coalesce(p.rows, 0),
        'duplicates', coalesce(r.records, 0) - coalesce(p.rows, 0),
        'columns', coalesce(p.columns, 0),
        'nulls', coalesce(p.nulls, 0)
    ))
    from (values
        ('posts', 'jsonplaceholder_posts.json'), ('users', 'jsonplaceholder_users.json'),
        ('comments', 'jsonplaceholder_comments.json'), ('stories', 'hackernews_stories.json')
    ) as f (data_set, file)
    left join onpoint.v_raw_files as r on r.run_id = p_run_id and r.file = f.file
    left join (
        select d.data_set, count(distinct d.place) as rows, count(distinct c.name) as columns,
            count(*) filter (where c.value = 'null') as nulls
        from (
            select 'posts' as data_set, row_number() over () as place, to_jsonb(x) as record
            from onpoint.processed_posts(p_run_id) as x
            union all
            select 'users', row_number() over (), to_jsonb(x) from onpoint.processed_users(p_run_id) as x
            union all
            select 'comments', row_number() over (), to_jsonb(x) from onpoint.processed_comments(p_run_id) as x
            union all
            select 'stories', row_number() over (), to_jsonb(x) from onpoint.processed_stories(p_run_id) as x
        ) as d
        cross join lateral jsonb_each(d.record) as c (name, value)
        group by d.data_set
    ) as p using (data_set);
$func$;

comment on function onpoint.process_data(text, text) is
    'For each data set of a run: records received, rows kept, duplicates, columns and null values; and the partition '
    'of its files.';
