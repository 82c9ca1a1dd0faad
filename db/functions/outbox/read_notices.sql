-- Input of the handler that sends notices: one JSON document for each. A channel that no longer exists is null in it.

create or replace function headgate.read_notices(
    p_context jsonb,
    p_asset_ids bigint[]
)
returns table (asset_id bigint, notice text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.asset_id,
        (a.attributes || jsonb_build_object(
            'key', left(encode(sha256(convert_to(format('%s %s', a.asset_id, a.code), 'UTF8')), 'hex'), 40),
            'to', to_jsonb(c)
        ))::text
    from headgate.assets as a
    left join headgate.channels as c on c.name = a.attributes ->> 'channel'
    where a.asset_id = any (p_asset_ids)
        and a.universe = any (headgate._outbox());
$func$;

comment on function headgate.read_notices(jsonb, bigint[]) is 'Input of the handler that sends notices.';
