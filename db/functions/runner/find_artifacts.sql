-- The places of artifacts that a handler reads; headgate.claim_jobs only names stores that are written to.

create or replace function headgate.find_artifacts(p_artifact_ids bigint[])
returns table (
    artifact_id bigint, name text, key text, sha256 text, bytes bigint, rows bigint, media_type text, store jsonb
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select a.artifact_id, a.name, a.key, a.sha256, a.bytes, a.rows, a.media_type, to_jsonb(s)
    from headgate.artifacts as a
    join headgate.stores as s on s.name = a.store
    where a.artifact_id = any (p_artifact_ids)
        and a.deleted_at is null
    order by a.artifact_id;
$func$;

comment on function headgate.find_artifacts(bigint[]) is
    'The artifacts with these ids that have not been removed, and their places.';
