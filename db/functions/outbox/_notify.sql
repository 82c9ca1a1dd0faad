-- A notice is an asset, and an operation of its universe sends it. A web hook gets a key by which its receiver
-- recognises a repetition, so its notices may be sent again. This locks only the notice's own row, because the caller
-- may already hold any other locks.

create or replace function headgate._notify(
    p_channel text,
    p_subject text,
    p_body text,
    p_key text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_universe constant text := (
        select case c.kind when 'webhook' then 'keyed_outbox' else 'outbox' end
        from headgate.channels as c
        where c.name = p_channel
    );
    v_asset_id bigint;
begin
    if coalesce(p_key, '') = '' or coalesce(p_subject, '') = '' then
        perform headgate._raise(
            'HG008', 'a notice needs p_subject and p_key', 'the key names the event: the same key is sent once'
        );
    elsif v_universe is null then
        perform headgate._raise(
            'HG001', format('there is no channel %s', coalesce(quote_literal(p_channel), 'null')),
            headgate._known('known channels', p_channel, array(
                select c.name from headgate.channels as c order by c.name
            ))
        );
    end if;
    insert into headgate.assets as a (universe, code, group_key, attributes)
    values (v_universe, format('%s: %s', p_channel, p_key), p_channel, jsonb_build_object(
        'channel', p_channel, 'subject', left(p_subject, 250), 'body', left(p_body, 8000), 'at', v_now
    ))
    on conflict on constraint assets_code_is_unique do nothing
    returning a.asset_id into v_asset_id;
    if v_asset_id is not null then
        insert into headgate.asset_processing_state (operation_id, asset_id, priority, next_due_at)
        select o.operation_id, v_asset_id, o.priority * 10 + 5, v_now
        from headgate.operations as o
        where o.universe = v_universe
            and not o.is_retired
        on conflict do nothing;
        perform pg_notify('headgate_jobs', '');
    end if;
end;
$func$;
