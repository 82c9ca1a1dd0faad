-- Raise HG008 for a change of a setting that an object does not have.

create or replace function headgate._check_settings(
    p_object text,
    p_changes jsonb,
    p_known text[]
)
returns void
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._raise(
        'HG008', format('%s: %s cannot be set', p_object, quote_literal(k.key)),
        headgate._known('settings', k.key, p_known)
    )
    from jsonb_object_keys(p_changes) as k (key)
    where k.key <> all (p_known);
$func$;
