-- Notices: sent, waiting, or failed.

drop view if exists headgate.v_notices cascade;

create view headgate.v_notices as
select
    (a.attributes ->> 'at')::timestamptz as written_at,
    a.attributes ->> 'channel' as channel,
    a.attributes ->> 'subject' as subject,
    case
        when s.chunk_id is not null or s.next_due_at is not null then 'waiting'
        when s.last_error like 'internal: unknown %' then 'unknown'
        when d.status in ('success', 'skipped') then 'sent'
        when d.reason like 'internal: unknown %' then 'unknown'
        else 'failed'
    end as status,
    d.ended_at as tried_at,
    case when s.last_error like 'internal: unknown %' then s.last_error else d.reason end as error,
    a.attributes ->> 'body' as body,
    a.asset_id
from headgate.assets as a
left join headgate.operations as o on o.universe = a.universe
left join headgate.asset_processing_state as s on s.operation_id = o.operation_id and s.asset_id = a.asset_id
left join lateral (
    select d.status, d.reason, d.ended_at
    from headgate.asset_processing_details as d
    where d.asset_id = a.asset_id
        and d.operation_id = o.operation_id
    order by d.ended_at desc
    limit 1
) as d on true
where a.universe in ('outbox', 'keyed_outbox');

comment on view headgate.v_notices is
    'Notices of the outbox: what was sent to which channel, what waits, and what was not delivered.';
comment on column headgate.v_notices.written_at is 'When the notice was written.';
comment on column headgate.v_notices.channel is 'The channel that it is sent to.';
comment on column headgate.v_notices.subject is 'Its subject.';
comment on column headgate.v_notices.status is
    'waiting: to be sent, or sent again; sent; failed: the channel does not accept it; unknown: it was handed over, '
    'but whether it arrived is unknown, and it is not sent twice. headgate.reset_asset has it sent again.';
comment on column headgate.v_notices.tried_at is 'When it was last attempted.';
comment on column headgate.v_notices.error is
    'The error of that attempt; for a mail that was sent, the recipients refused.';
comment on column headgate.v_notices.body is 'Its text.';
comment on column headgate.v_notices.asset_id is 'The notice, as an asset.';
