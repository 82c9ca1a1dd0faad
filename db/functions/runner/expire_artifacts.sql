-- Artifacts that a handler releases expire, so that headgate.remove_keys takes them. Artifacts that were released
-- before are returned again, because their runner may have died before removing their keys.

create or replace function headgate.expire_artifacts(
    p_store text,
    p_artifact_ids bigint[]
)
returns setof text
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.artifacts as a
    set expires_at = least(a.expires_at, headgate.clock())
    where a.store = p_store
        and a.artifact_id = any (p_artifact_ids)
    returning a.key;
$func$;

comment on function headgate.expire_artifacts(text, bigint[]) is
    'Let artifacts of a store expire now; returns their keys, for headgate.remove_keys.';
