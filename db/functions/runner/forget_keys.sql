create or replace function headgate.forget_keys(
    p_store text,
    p_keys text[]
)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    delete from headgate.removed_keys as r
    where r.store = p_store
        and (r.key = any (p_keys) or r.removed_at < headgate.clock() - interval '1 day');
$func$;

comment on function headgate.forget_keys(text, text[]) is
    'Report that a store''s keys, which headgate.remove_keys gave up, are removed: files put under them count again.';
