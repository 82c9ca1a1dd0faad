-- Announces a run that has loaded its data, with its own figures and what failed of the crawl; a notice that was sent
-- is not sent again.

create or replace function onpoint.send_success_notification(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_document constant jsonb := (
        select d.document from headgate.v_run_documents as d where d.pipeline = p_pipeline and d.run_id = p_run_id
    );
    v_rows constant text := (
        select string_agg(format('%s: %s rows', s.key, s.value ->> 'rows'), E'\n' order by s.key)
        from jsonb_each(v_document #> '{steps,process_data,output}') as s
        where s.value ? 'rows'
    );
    v_failed constant text := (
        select string_agg(s.key, ', ' order by s.key)
        from jsonb_each(v_document -> 'steps') as s
        where s.value ->> 'status' = 'failed'
    );
    v_files text;
    v_body text;
begin
    select format(
        '%s of %s files uploaded, %s bytes', count(*) filter (where a.store = 'onpoint_lake'),
        count(*) filter (where a.store = 'onpoint_files'),
        coalesce(sum(a.bytes) filter (where a.store = 'onpoint_lake'), 0)
    )
    into v_files
    from headgate.v_artifacts as a
    where a.pipeline = p_pipeline
        and a.run_id = p_run_id
        and a.deleted_at is null;
    v_body := concat_ws(
        E'\n',
        'DAG: ' || p_pipeline,
        'Date: ' || (v_document #>> '{run,date}'),
        format('Duration: %s s', round(extract(
            epoch from headgate.clock() - (v_document #>> '{run,started_at}')::timestamptz
        ))),
        v_rows,
        v_files,
        'Not crawled: ' || (
            select string_agg(m.file, ', ')
            from jsonb_array_elements_text(v_document #> '{steps,validate_raw_data,output,missing}') as m (file)
        ),
        'Failed: ' || v_failed
    );
    perform headgate.notify(
        c.name, p_pipeline || coalesce(' has loaded its data without ' || v_failed, ' succeeded'), v_body,
        format('%s %s succeeded', p_pipeline, p_run_id)
    )
    from unnest('{onpoint_slack, onpoint_mail}'::text[]) as c (name);
    return jsonb_build_object('summary', v_body);
end;
$func$;

comment on function onpoint.send_success_notification(text, text) is
    'Announce a run that has loaded its data by Slack and mail: date, duration, rows of each data set, files, what was '
    'not crawled, what failed. Returns the text.';
