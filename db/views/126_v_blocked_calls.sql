-- What is not called at the moment: whole providers, and single operations.

drop view if exists headgate.v_blocked_calls cascade;

create view headgate.v_blocked_calls as
select h.provider, null::text as operation, h.state, h.blocked_until, h.blocked_reason as reason
from headgate.v_provider_health as h
where h.state <> 'flowing'
union all
select h.provider, h.operation, h.state, h.blocked_until, h.reason
from headgate.v_operation_health as h
where h.state <> 'flowing'
order by provider, operation nulls first;

comment on view headgate.v_blocked_calls is 'Providers and operations whose breaker is open or probing.';
comment on column headgate.v_blocked_calls.provider is 'The provider.';
comment on column headgate.v_blocked_calls.operation is 'The operation; null: all of the provider''s.';
comment on column headgate.v_blocked_calls.state is 'blocked or probing.';
comment on column headgate.v_blocked_calls.blocked_until is 'No call is made before.';
comment on column headgate.v_blocked_calls.reason is 'Why it is blocked.';
