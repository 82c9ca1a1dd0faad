-- The run's report: what each service answered, in the order of the steps.

create or replace function freshpoc.report(
    p_pipeline text,
    p_run_id text
)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(s.step, s.answers), '{}')
    from (
        select a.step, jsonb_object_agg(a.service, a.answer) as answers
        from freshpoc.answers as a
        where a.run_id = p_run_id
        group by a.step
    ) as s;
$func$;

comment on function freshpoc.report(text, text) is
    'What each service answered in a run, by step; its output is kept with the run.';
