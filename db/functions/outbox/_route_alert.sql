-- An alert goes to its channels in the transaction that raises it.

create or replace function headgate._route_alert()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._notify(
        r.channel,
        format('[%s] %s', new.severity, new.subject),
        format(
            '%s%sRaised at %s UTC.', new.message, chr(10),
            to_char(new.raised_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
        ),
        'alert ' || new.alert_id
    )
    from (
        select distinct t.channel
        from headgate.routes as t
        where t.event = 'alert'
            and new.severity = coalesce(t.severity, new.severity)
            and new.subject like coalesce(t.subject, '%')
    ) as r
    where not headgate._is_about_the_outbox(new.subject);
    return null;
end;
$func$;

create or replace function headgate._is_about_the_outbox(p_subject text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.pipelines as p
        where (p_subject in ('DAG ' || p.name, format('DAG %s is late', p.name))
            or right(p_subject, length(p.name) + 4) = ' of ' || p.name and p_subject like 'step %')
            and headgate._is_of_the_outbox(p.pipeline_id)
    )
        or exists (
            select
            from headgate.operations as o
            where o.universe = any (headgate._outbox())
                and p_subject = 'operation ' || o.name
        );
$func$;

create or replace trigger alert_is_routed
    after insert on headgate.alerts
    for each row execute function headgate._route_alert();
comment on trigger alert_is_routed on headgate.alerts is 'Sends an alert to the channels of its routes.';
