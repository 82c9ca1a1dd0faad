create or replace function headgate.end_runner(p_runner text)
returns table (forgotten integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.runners as r
    where r.runner = p_runner
        or r.last_seen_at < clock_timestamp() - interval '1 day'
        and not exists (select from headgate.chunks as c where c.runner = r.runner and c.state = 'leased');
    get diagnostics forgotten = row_count;
    return next;
end;
$func$;

comment on function headgate.end_runner(text) is
    'Remove a runner that shuts down, and those killed more than a day ago; returns how many.';
