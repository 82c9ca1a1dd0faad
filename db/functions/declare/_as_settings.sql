-- Columns under their argument names, without keys and columns that cannot be declared.
create or replace function headgate._as_settings(
    p_kind text,
    p_columns jsonb
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_object_agg(headgate._setting_of(c.key), c.value)
    from jsonb_each(p_columns) as c (key, value)
    where c.key <> all (headgate._key_of(p_kind) || array[
        'provider_id', 'operation_id', 'pipeline_id', 'follows_operation_id', 'bulk_call_of_operation_id',
        'starts_at_once', 'start_every', 'crawl_delay', 'is_call', 'is_ingest_of_answers', 'is_paused',
        'is_paused_with_dag', 'cleaned_at'
    ]);
$func$;
