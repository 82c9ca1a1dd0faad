-- The services' health, check by check: for charts.

drop view if exists viral.v_service_health cascade;

create view viral.v_service_health as
select
    h.checked_at,
    h.run_id,
    s.name as service,
    h.report -> 'required_services' ? s.name as is_required,
    s.said ->> 'status' as status,
    (s.said ->> 'response_time_ms')::numeric as response_time_ms,
    h.overall_status
from viral.health_checks as h
cross join lateral jsonb_each(h.report -> 'services') as s (name, said);

comment on view viral.v_service_health is 'The services'' health, check by check, for 30 days.';
comment on column viral.v_service_health.checked_at is 'When it was checked.';
comment on column viral.v_service_health.run_id is 'The run that checked it.';
comment on column viral.v_service_health.service is 'The service.';
comment on column viral.v_service_health.is_required is 'The run fails without it.';
comment on column viral.v_service_health.status is 'healthy, degraded or unhealthy.';
comment on column viral.v_service_health.response_time_ms is 'How long its answer took; null: it did not answer.';
comment on column viral.v_service_health.overall_status is 'The status of all services together.';
