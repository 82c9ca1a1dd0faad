-- The keys of a store that its runner may remove: keys without an artifact, and keys of expired artifacts. Until the
-- runner reports them as removed (headgate.forget_keys), or for an hour, no artifact is made of such a key: another
-- runner may just have found the file there and be about to commit. Completions hold the store's row, so they come
-- before or after.

create or replace function headgate.remove_keys(
    p_store text,
    p_keys text[]
)
returns setof text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
begin
    perform from headgate.stores as s where s.name = p_store for update;
    return query
    with expired as (
        update headgate.artifacts as a
        set deleted_at = v_now
        where a.store = p_store
            and a.deleted_at is null
            and a.expires_at <= v_now
        returning a.artifact_id, a.key
    ),
    given_up as (
        select unnest(p_keys) as key
        union
        select e.key from expired as e
    )
    insert into headgate.removed_keys as r (store, key, removed_at)
    select p_store, g.key, v_now
    from given_up as g
    where not exists (
        select
        from headgate.artifacts as a
        where a.store = p_store
            and a.key = g.key
            and a.deleted_at is null
            and not exists (select from expired as e where e.artifact_id = a.artifact_id)
    )
    on conflict (store, key) do update
    set removed_at = excluded.removed_at
    returning r.key;
end;
$func$;

comment on function headgate.remove_keys(text, text[]) is
    'Give up a store''s keys without an artifact, and its expired artifacts; returns the keys to remove.';
