-- Pipelines that can be back-filled: those with a request that names the date of its run.

create or replace function headgate.dated_pipelines()
returns table (pipeline text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select p.name
    from headgate.pipelines as p
    where not p.is_retired
        and headgate._has_dates(p.pipeline_id)
    order by p.name collate "C";
$func$;

comment on function headgate.dated_pipelines() is
    'Pipelines whose requests name the date of their run, so that they can run for past days.';
