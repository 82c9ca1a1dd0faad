-- With the parameter wait_for_integration, training starts only after an integration run of the same day has succeeded.

create or replace function recommender.require_integration(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_run jsonb;
    v_found text;
begin
    select d.document into v_run
    from headgate.v_run_documents as d
    where d.pipeline = p_pipeline and d.run_id = p_run_id;
    if coalesce(v_run #>> '{params,wait_for_integration}', 'false') <> 'true' then
        return jsonb_build_object('waited', false);
    end if;
    select e.run_id into v_found
    from headgate.v_recent_executions as e
    where e.pipeline = 'noblestride_integration_pipeline'
        and e.status = 'succeeded'
        and (e.finished_at at time zone 'UTC')::date = (headgate.clock() at time zone 'UTC')::date
    order by e.finished_at desc
    limit 1;
    if v_found is null then
        -- Not of the class HG: Airflow does not retry errors of that class, and this check may succeed in five minutes.
        raise exception 'no run of noblestride_integration_pipeline has succeeded today' using
            hint = 'run it, or train with --param wait_for_integration=false';
    end if;
    return jsonb_build_object('waited', true, 'integration_run', v_found);
end;
$func$;

comment on function recommender.require_integration(text, text) is
    'Raises until an integration run of the day has succeeded, if the run''s parameter requires one.';
