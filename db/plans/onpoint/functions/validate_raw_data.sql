-- At least two of the three data sets must have records; the return value names a missing one.

create or replace function onpoint.validate_raw_data(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_report jsonb;
    v_missing text[];
begin
    select
        jsonb_object_agg(e.file, jsonb_build_object('records', coalesce(r.records, 0), 'bytes', coalesce(r.bytes, 0))),
        coalesce(array_agg(e.file order by e.file) filter (where coalesce(r.records, 0) = 0), '{}')
    into v_report, v_missing
    from (values
        ('jsonplaceholder_posts.json'), ('jsonplaceholder_users.json'), ('hackernews_stories.json')
    ) as e (file)
    left join onpoint.v_raw_files as r on r.run_id = p_run_id and r.file = e.file;
    if cardinality(v_missing) > 1 then
        -- Not of the class HG: Airflow does not retry errors of that class, and another crawl may bring what is
        -- missing.
        raise exception 'too little was crawled: no records of %', array_to_string(v_missing, ', ') using
            hint = format('headgate logs %s says why; headgate retry %s asks again', p_run_id, p_run_id);
    end if;
    return jsonb_build_object('files', v_report, 'missing', v_missing);
end;
$func$;

comment on function onpoint.validate_raw_data(text, text) is
    'The crawled data sets, file by file; raises if fewer than two of the three required ones have records.';
