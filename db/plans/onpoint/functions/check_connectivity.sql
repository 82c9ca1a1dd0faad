-- Response time, number of connections and size of the database (null: the plan lacks the right to read the size).

create or replace function onpoint.check_connectivity()
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_started constant timestamptz := clock_timestamp();
    v_connections integer;
    v_bytes bigint;
    v_seconds numeric;
begin
    select d.numbackends, case when has_database_privilege(d.datid, 'connect') then pg_database_size(d.datid) end
    into v_connections, v_bytes
    from pg_stat_database as d
    where d.datname = current_database();
    v_seconds := round(extract(epoch from clock_timestamp() - v_started), 4);
    return jsonb_build_object(
        'status', case when v_seconds < 5 and v_connections < 50 then 'HEALTHY' else 'WARNING' end,
        'response_time_seconds', v_seconds,
        'active_connections', v_connections,
        'database_size_bytes', v_bytes
    );
end;
$func$;

comment on function onpoint.check_connectivity() is
    'HEALTHY under 5 seconds and 50 connections, else WARNING.';
