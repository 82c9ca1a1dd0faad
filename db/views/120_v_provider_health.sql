-- How each provider's gate stands, in the language of circuit breakers: closed means that calls flow.

drop view if exists headgate.v_provider_health cascade;

create view headgate.v_provider_health as
select
    p.name as provider,
    case
        when g.closed_until > t.now then 'open'
        when g.opened > 0 then 'half_open'
        else 'closed'
    end as state,
    coalesce(g.failures, 0) as failures,
    case when g.closed_until > t.now or g.opened > 0 then g.closed_until end as closed_until,
    case when p.requests_per_minute is not null then
        greatest(0, p.requests_per_minute - coalesce((
            -- Slot n holds the requests granted in the latest fifty-ninth of a minute, up to rate_second, that is n - 1 modulo 60.
            select sum(s.calls)
            from unnest(g.rate_slots) with ordinality as s (calls, nth)
            where g.rate_second - (g.rate_second - (s.nth - 1)) % 60 > floor(extract(epoch from t.now) * 59 / 60) - 60
        ), 0))::integer
    end as rate_tokens,
    coalesce(g.refusals, 0) as refusals,
    array(
        select o.name
        from headgate.operation_gates as k
        join headgate.operations as o using (operation_id)
        where o.provider_id = p.provider_id
            and (k.closed_until > t.now or k.opened > 0)
        order by o.name
    ) as shut_operations
from headgate.providers as p
left join headgate.provider_gates as g using (provider_id)
cross join (select headgate.clock() as now offset 0) as t
order by p.name;

comment on view headgate.v_provider_health is 'How each provider''s gate stands.';
comment on column headgate.v_provider_health.provider is 'The provider.';
comment on column headgate.v_provider_health.state is
    'closed: calls flow; open: nothing is asked of it until closed_until; half_open: one probe goes first.';
comment on column headgate.v_provider_health.failures is 'Its consecutive failures, which open its breaker.';
comment on column headgate.v_provider_health.closed_until is
    'Nothing is, or was, asked of it before; null: calls flow.';
comment on column headgate.v_provider_health.rate_tokens is
    'Requests that its limit per minute still allows; null: no limit.';
comment on column headgate.v_provider_health.refusals is
    'Consecutive faults of our own in asking it (401, 403, no token): they end their execution''s work with it and close nothing else.';
comment on column headgate.v_provider_health.shut_operations is
    'Its operations whose own breaker is open or half open: v_operation_health says more. The others go on.';
