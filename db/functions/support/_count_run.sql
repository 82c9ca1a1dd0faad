-- An execution that ends is counted, and again if it is reopened and ends again.

create or replace function headgate._count_run()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    insert into headgate.kept_counts as k (name, labels, value)
    select 'headgate_runs_total', jsonb_build_object('pipeline', p.name, 'status', new.status), 1
    from headgate.pipelines as p
    where p.pipeline_id = new.pipeline_id
    on conflict (name, labels) do update set value = k.value + 1;
    return null;
end;
$func$;

create or replace trigger count_runs
    after update of finished_at on headgate.process_executions
    for each row
    when (old.finished_at is null and new.finished_at is not null)
    execute function headgate._count_run();
comment on trigger count_runs on headgate.process_executions is 'Counts the end of an execution for the metrics.';
