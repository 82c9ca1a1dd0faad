-- Runners that were killed more than a day ago, and hold nothing any more.
create or replace function headgate._forget_runners()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_forgotten integer;
begin
    delete from headgate.runners as r
    where r.last_seen_at < clock_timestamp() - interval '1 day'
        and not exists (select from headgate.chunks as c where c.runner = r.runner and c.state = 'leased');
    get diagnostics v_forgotten = row_count;
    return v_forgotten;
end;
$func$;
