-- Which events are sent to a channel as notices.

create or replace function headgate.put_route(
    route text,
    channel text,
    event text,
    severity text default null,
    subject text default null,
    pipeline text default null,
    statuses text[] default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_variable
begin
    return headgate._declare('route', route, jsonb_build_object(
        'channel', case when headgate._check_reference('route', route, 'channel', channel) then channel end,
        'event', event,
        'severity', severity,
        'subject', subject,
        'pipeline', pipeline,
        'statuses', statuses
    ));
end;
$func$;

comment on function headgate.put_route is
    'Declare which events a channel gets: event is alert or run. Returns created, unchanged, or changed and what.';
