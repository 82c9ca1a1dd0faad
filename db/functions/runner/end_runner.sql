create or replace function headgate.end_runner(p_runner text)
returns table (forgotten integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.runners as r
    where r.runner = p_runner;
    get diagnostics forgotten = row_count;
    forgotten := forgotten + headgate._forget_runners();
    return next;
end;
$func$;

comment on function headgate.end_runner(text) is
    'Remove a runner that shuts down, and those killed more than a day ago; returns how many.';
