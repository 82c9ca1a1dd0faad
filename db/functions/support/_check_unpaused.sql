create or replace function headgate._check_unpaused(p_pipeline headgate.pipelines)
returns void
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._raise(o.code, o.message, o.hint)
    from headgate._start_obstacle(p_pipeline) as o
    where o.code = 'HG013';
$func$;
