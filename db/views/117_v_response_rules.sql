-- How answers are read: each provider's own rules, then the usual ones, which no provider has to declare. A provider
-- that says itself what a success looks like decides that alone: a maintenance page with status 200 is no success then.

drop view if exists headgate.v_response_rules cascade;

create view headgate.v_response_rules as
select
    p.provider_id,
    p.name as provider,
    r.position,
    r.status,
    r.content_type,
    r.body,
    r.outcome,
    r.fault,
    r.blocks,
    r.reason,
    r.charged,
    false as is_usual
from headgate.providers as p
join headgate.response_rules as r using (provider_id)
union all
select
    p.provider_id, p.name, 100000 + u.position, u.status, null, null, u.outcome, u.fault, u.blocks, u.reason, true, true
from headgate.providers as p
cross join (values
    (1, '401', 'deferred', 'internal', 'execution', 'the provider refuses our token'),
    (2, '403', 'deferred', 'internal', 'execution', 'the provider refuses our token, or what it may do'),
    (3, '402', 'deferred', 'quota', 'reset', 'the provider''s quota is used up'),
    (4, '429', 'retry', 'quota', 'retry_after', 'too many requests'),
    (5, '408', 'retry', 'provider', null, 'the provider did not get the request in time'),
    (6, '404', 'failed', 'item', null, 'unknown to the provider'),
    (7, '400-499', 'failed', 'item', null, 'the provider refuses the request'),
    (8, '300-399', 'failed', 'provider', null, 'redirected: the base URL has moved'),
    (9, '500-599', 'retry', 'provider', null, 'the provider is in trouble'),
    (10, 'error:timeout', 'retry', 'provider', null, 'no answer in time'),
    (11, 'error:connect', 'retry', 'provider', null, 'no connection'),
    (12, 'error:cut', 'retry', 'provider', null, 'the connection broke'),
    (13, '200-299', 'success', 'item', null, 'data')
) as u (position, status, outcome, fault, blocks, reason)
where p.base_url is not null
    and (
        u.outcome <> 'success'
        or not exists (
            select
            from headgate.response_rules as r
            where r.provider_id = p.provider_id
                and r.outcome = 'success'
        )
    );

comment on view headgate.v_response_rules is
    'How each provider''s answers are classified: the first matching rule decides.';
comment on column headgate.v_response_rules.provider_id is 'The provider''s key.';
comment on column headgate.v_response_rules.provider is 'The provider.';
comment on column headgate.v_response_rules.position is
    'The order in which rules are tried; the usual rules come last.';
comment on column headgate.v_response_rules.status is
    'HTTP status or range, error:timeout, error:connect, error:cut, or * for any.';
comment on column headgate.v_response_rules.content_type is
    'Regular expression the content type must match; null: any.';
comment on column headgate.v_response_rules.body is 'Regular expression the start of the body must match; null: any.';
comment on column headgate.v_response_rules.outcome is 'The outcome for the job.';
comment on column headgate.v_response_rules.fault is
    'Whose fault it is: item, provider, internal (ours) or quota (nobody''s).';
comment on column headgate.v_response_rules.blocks is
    'What the answer blocks: the provider until retry_after, reset or for N seconds, or the rest of the execution.';
comment on column headgate.v_response_rules.reason is 'The reason kept with the job.';
comment on column headgate.v_response_rules.charged is 'False: the units of such a call are given back.';
comment on column headgate.v_response_rules.is_usual is
    'True: a usual rule, which every provider has without declaring it.';
