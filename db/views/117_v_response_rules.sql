-- How answers are read: each provider's own rules, then the usual ones, which no provider has to declare. If a provider
-- declares rules of success, only these apply: a maintenance page with status 200 is then not a success.

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
    (1, 'http', '401', 'deferred', 'internal', 'execution', 'the provider refuses our token'),
    (2, 'http', '403', 'deferred', 'internal', 'execution', 'the provider refuses our token, or what it may do'),
    (3, 'http', '402', 'deferred', 'quota', 'reset', 'the provider''s quota is used up'),
    (4, 'http', '429', 'retry', 'quota', 'retry_after', 'too many requests'),
    (5, 'http', '408', 'retry', 'provider', null, 'the provider did not get the request in time'),
    (6, 'http', '404', 'failed', 'item', null, 'unknown to the provider'),
    (7, 'http', '400-499', 'failed', 'item', null, 'the provider refuses the request'),
    (8, 'http', '300-399', 'failed', 'provider', null, 'redirected: the base URL has moved'),
    (9, 'http', '500-599', 'retry', 'provider', null, 'the provider is in trouble'),
    (10, null, 'error:timeout', 'retry', 'provider', null, 'no answer in time'),
    (11, null, 'error:connect', 'retry', 'provider', null, 'no connection'),
    (12, null, 'error:cut', 'retry', 'provider', null, 'the connection broke'),
    (13, 'http', '200-299', 'success', 'item', null, 'data'),
    (20, 'postgres', 'sql:28', 'deferred', 'internal', 'execution', 'the database refuses our login'),
    (21, 'postgres', 'sql:3D000', 'deferred', 'internal', 'execution', 'the server has no such database'),
    (22, 'postgres', 'sql:42501', 'deferred', 'internal', 'execution', 'the role has no right to read it'),
    (23, 'postgres', 'sql:25006', 'failed', 'item', null, 'the statement writes, or locks rows'),
    (24, 'postgres', 'sql:42P18', 'failed', 'item', null, 'a field needs its type, {field}::text, or is in quotes'),
    (25, 'postgres', 'sql:42', 'failed', 'item', null, 'the database does not understand the statement'),
    (26, 'postgres', 'sql:22', 'failed', 'item', null, 'a value does not fit the statement'),
    (27, 'postgres', 'sql:54', 'failed', 'item', null, 'the statement is too large or complex'),
    (28, 'postgres', 'sql:0A', 'failed', 'item', null, 'the statement writes, or is not supported'),
    (29, 'postgres', 'sql:08', 'retry', 'provider', null, 'the connection broke'),
    (30, 'postgres', 'sql:40', 'retry', 'provider', null, 'the database could not read it beside others'),
    (31, 'postgres', 'sql:53', 'retry', 'provider', null, 'the database lacks connections, memory or disk'),
    (32, 'postgres', 'sql:55', 'retry', 'provider', null, 'what the statement needs is in use'),
    (33, 'postgres', 'sql:57', 'retry', 'provider', null, 'the database starts, stops or ended the statement'),
    (34, 'postgres', 'sql:58', 'retry', 'provider', null, 'the database is in trouble'),
    (35, 'postgres', 'sql:XX', 'retry', 'provider', null, 'the database is in trouble'),
    (36, 'postgres', 'sql:ok', 'success', 'item', null, 'data'),
    (37, 'postgres', '*', 'failed', 'item', null, 'the database refuses the statement')
) as u (position, kind, status, outcome, fault, blocks, reason)
where coalesce(u.kind, p.kind) = p.kind
    and (p.base_url is not null or p.kind = 'postgres')
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
    'HTTP status or range, error:timeout, error:connect, error:cut, or * for any; of a database sql:ok, '
    'sql:<SQLSTATE> or its class.';
comment on column headgate.v_response_rules.content_type is
    'Regular expression the content type must match; null: any.';
comment on column headgate.v_response_rules.body is 'Regular expression the start of the body must match; null: any.';
comment on column headgate.v_response_rules.outcome is 'The outcome for the job.';
comment on column headgate.v_response_rules.fault is
    'The fault: item, provider, internal (ours) or quota (nobody''s).';
comment on column headgate.v_response_rules.blocks is
    'What the answer blocks: the provider until retry_after, reset or for N seconds, or the rest of the execution.';
comment on column headgate.v_response_rules.reason is 'The reason kept with the job.';
comment on column headgate.v_response_rules.charged is 'False: the units of such a call are given back.';
comment on column headgate.v_response_rules.is_usual is
    'True: a usual rule, which every provider has without declaring it.';
